package spec

import (
	"cmp"
	"errors"
	"slices"
)

// ErrNotCanonical says that a profile cannot be put in canonical form without
// losing something.
var ErrNotCanonical = errors.New("no canonical form")

// Canonical returns a profile that means the same, in the one form that Encode
// then writes: names sorted, and each once; conditions by argument; capabilities
// and architectures of includes and excludes sorted. Rules stay in their order,
// which is the author's, and can matter; so do comments.
func (p *Profile) Canonical() (*Profile, error) {
	switch {
	case p.Disabled:
		return nil, ErrDisabled
	case p.errnoNames:
		return nil, errors.Join(ErrNotCanonical, errors.New("an errno by name has another number on other architectures"))
	case p.Form == FormOperator || p.Form == FormConfig:
		return nil, errors.Join(ErrNotCanonical, errors.New("what is around the seccomp object would be lost"))
	}
	for _, w := range p.Warnings {
		if w.Kind == WarnProperty {
			return nil, errors.Join(ErrNotCanonical, errors.New(w.Text))
		}
	}
	c := *p
	c.Syscalls = make([]Syscall, len(p.Syscalls))
	for i, s := range p.Syscalls {
		s.Names = sorted(s.Names)
		s.Args = slices.Clone(s.Args)
		slices.SortStableFunc(s.Args, func(a, b Arg) int { return cmp.Compare(a.Index, b.Index) })
		s.Includes, s.Excludes = s.Includes.canonical(), s.Excludes.canonical()
		c.Syscalls[i] = s
	}
	return &c, nil
}

func (f *Filter) canonical() *Filter {
	if f == nil {
		return nil
	}
	return &Filter{Caps: sorted(f.Caps), Arches: sorted(f.Arches), MinKernel: f.MinKernel}
}

// sorted returns the names sorted, each once.
func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
