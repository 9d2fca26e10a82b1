package precompute

import "seccomp-hook/pkg/arch"

// Statistics counts what a filter, or a chain of them, does with the calls of
// one architecture. Their names are those of the annotations
// io.seccomp-hook.cache.<Arch>.cached, .constant, .dynamic and .total.
type Statistics struct {
	// Arch is the architecture's name, "x86_64".
	Arch string `json:"arch"`
	// Cached is how many calls never run the filter: always allowed, and the
	// kernel knows. They are counted in Constant too. It is 0 for x32 and for
	// architectures that the kernel has no table for.
	Cached int `json:"cached"`
	// Constant is how many calls get one action whatever their arguments are.
	Constant int `json:"constant"`
	// Dynamic is how many calls get an action that depends on arguments.
	Dynamic int `json:"dynamic"`
	// Total is how many calls the architecture has: Constant + Dynamic.
	Total int `json:"total"`
}

// Count counts the calls of a, by their names in package arch, in a table for
// a's token, on kernel k.
func Count(t *Table, a *arch.Arch, k Kernel) Statistics {
	s := Statistics{Arch: a.Name}
	for nr := range a.Calls() {
		o := t.Lookup(nr)
		if k.Serves(a.Audit, nr, o) {
			s.Cached++
		}
		if o.Constant {
			s.Constant++
		} else {
			s.Dynamic++
		}
		s.Total++
	}
	return s
}
