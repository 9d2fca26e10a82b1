package spec

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"seccomp-hook/pkg/arch"
)

// maxTogether is how many capabilities may decide together about one call
// until not every subset of them is a target of its own.
const maxTogether = 8

// Targets returns the targets that profiles tell apart: every kernel's
// architecture that they name, below and from each minKernel on, with each set
// of capabilities that decides about a call or about the -ENOSYS stub. Of
// targets for which all profiles have the same rules there is one. An
// architecture's targets are together, the one without capabilities first.
//
// A profile that names no architecture is for native, or where that is nil for
// this machine's. archs, where there are any, take the place of the profiles'
// lists. all is false where more than eight capabilities decide about one call:
// then the targets have none, each one, all but each one, and all of them.
func Targets(native *arch.Arch, archs []*arch.Arch, profiles ...*Profile) (targets []Target, all bool) {
	natives := natives(native, archs, profiles)
	var listed []*arch.Arch
	for _, n := range natives {
		for _, p := range profiles {
			list, _ := p.architectures(&Target{Native: n, Archs: archs}) // where there is an error, no policy is
			listed = append(listed, list...)
		}
	}
	sets, all := capabilitySets(profiles, listed)
	kernels := kernels(profiles)
	seen := map[string]bool{}
	for _, n := range natives {
		for _, set := range sets {
			for _, kernel := range kernels {
				t := Target{Native: n, Archs: archs, Capabilities: set, Kernel: kernel}
				if key := activity(&t, profiles); !seen[key] {
					seen[key] = true
					targets = append(targets, t)
				}
			}
		}
	}
	return targets, all
}

// Kernels returns the versions from low to high that profiles tell apart: low,
// and each minKernel above it.
func Kernels(low, high KernelVersion, profiles ...*Profile) []KernelVersion {
	list := []KernelVersion{low}
	for _, v := range thresholds(profiles) {
		if v.Compare(low) > 0 && v.Compare(high) <= 0 {
			list = append(list, v)
		}
	}
	return list
}

// activity is the native architecture and which rules count for a target.
func activity(t *Target, profiles []*Profile) string {
	key := []byte(t.Native.Name)
	for _, p := range profiles {
		key = append(key, ' ')
		for i := range p.Syscalls {
			if s := &p.Syscalls[i]; s.Filtered() {
				counts := byte('0')
				if s.Applies(t) {
					counts = '1'
				}
				key = append(key, counts)
			}
		}
	}
	return string(key)
}

// Filtered reports whether there are targets that a rule does not count for.
// Podman's profiles have empty includes and excludes everywhere.
func (s *Syscall) Filtered() bool {
	return slices.ContainsFunc(s.filters(), func(f *Filter) bool { return len(f.Caps) > 0 || len(f.Arches) > 0 || f.MinKernel != nil })
}

// filters yields the filters of a rule that has any.
func (s *Syscall) filters() []*Filter {
	var list []*Filter
	for _, f := range [...]*Filter{s.Includes, s.Excludes} {
		if f != nil {
			list = append(list, f)
		}
	}
	return list
}

// natives returns the architectures that profiles may be used on.
func natives(native *arch.Arch, archs []*arch.Arch, profiles []*Profile) []*arch.Arch {
	if len(archs) > 0 {
		return archs[:1]
	}
	if native == nil {
		native = arch.Native()
	}
	named := map[*arch.Arch]bool{}
	for _, p := range profiles {
		for _, a := range p.Architectures {
			named[a] = true
		}
		for _, m := range p.ArchMap {
			if a, ok := arch.ByOCI(m.Architecture); ok {
				named[a] = true
			}
		}
		for i := range p.Syscalls {
			for _, f := range p.Syscalls[i].filters() {
				for _, name := range f.Arches {
					for _, a := range byDockerName(name) {
						named[a] = true
					}
				}
			}
		}
		if len(p.Architectures) == 0 && len(p.ArchMap) == 0 && native != nil {
			named[native] = true
		}
	}
	// x32 is no kernel's, and one without a name in the profile's own list has
	// the same rules as the one it comes with.
	var list []*arch.Arch
	for _, a := range arch.All() {
		if named[a] && a.Name != "x32" {
			list = append(list, a)
		}
	}
	// A profile that lists x86_64 and x86 is for x86_64.
	list = slices.DeleteFunc(list, func(a *arch.Arch) bool {
		return a.Bits == 32 && slices.ContainsFunc(profiles, func(p *Profile) bool { return secondary(p, a) })
	})
	if len(list) == 0 && native != nil {
		return []*arch.Arch{native}
	}
	return list
}

// secondary reports whether a profile lists a 32-bit architecture beside the
// 64-bit one whose kernels run it, and does not treat it as native itself.
func secondary(p *Profile, a *arch.Arch) bool {
	if len(p.ArchMap) > 0 {
		return !slices.ContainsFunc(p.ArchMap, func(m ArchMapping) bool { return m.Architecture == a.OCI })
	}
	wide, ok := kernelOf[a.Name]
	return ok && slices.ContainsFunc(p.Architectures, func(b *arch.Arch) bool { return b.Name == wide })
}

// kernelOf is the 64-bit architecture whose kernels run a 32-bit one's programs.
var kernelOf = map[string]string{
	"x86": "x86_64", "x32": "x86_64", "arm": "aarch64", "mips": "mips64", "mips64n32": "mips64",
	"mipsel": "mipsel64", "mipsel64n32": "mipsel64", "parisc": "parisc64", "ppc": "ppc64", "s390": "s390x",
}

// byDockerName returns the architectures that moby calls name.
func byDockerName(name string) []*arch.Arch {
	var list []*arch.Arch
	for _, a := range arch.All() {
		if dockerName(a) == name {
			list = append(list, a)
		}
	}
	return list
}

// thresholds returns every minKernel, the oldest first.
func thresholds(profiles []*Profile) []KernelVersion {
	set := map[KernelVersion]bool{}
	for _, p := range profiles {
		for i := range p.Syscalls {
			for _, f := range p.Syscalls[i].filters() {
				if f.MinKernel != nil && *f.MinKernel != (KernelVersion{}) {
					set[*f.MinKernel] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(set), KernelVersion.Compare)
}

// kernels returns each minKernel, the newest first, and a version below them.
func kernels(profiles []*Profile) []KernelVersion {
	list := thresholds(profiles)
	slices.Reverse(list)
	if len(list) == 0 {
		return []KernelVersion{newest}
	}
	oldest := list[len(list)-1]
	switch {
	case oldest.Minor > 0:
		oldest.Minor--
	case oldest.Major > 1:
		oldest = KernelVersion{Major: oldest.Major - 1, Minor: 255}
	}
	return append(list, oldest)
}

// Compare is negative where v is older than w, positive where it is newer.
func (v KernelVersion) Compare(w KernelVersion) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor))
}

// capabilitySets returns the sets of capabilities that profiles tell apart,
// none first, on architectures that they list.
func capabilitySets(profiles []*Profile, archs []*arch.Arch) (sets [][]string, all bool) {
	all = true
	seen := map[string]bool{}
	add := func(set []string) {
		if key := strings.Join(set, ","); !seen[key] {
			seen[key] = true
			sets = append(sets, set)
		}
	}
	add([]string{})
	for _, group := range capabilityGroups(profiles, archs) {
		if len(group) > maxTogether {
			all = false
			for i, one := range group {
				add([]string{one})
				add(slices.Delete(slices.Clone(group), i, i+1))
			}
			add(group)
			continue
		}
		for bits := range 1 << len(group) {
			set := []string{}
			for i, one := range group {
				if bits>>i&1 != 0 {
					set = append(set, one)
				}
			}
			add(set)
		}
	}
	return sets, all
}

// capabilityGroups returns, for each call and for the -ENOSYS stub, the
// capabilities that decide about it, in alphabetical order; each group once.
func capabilityGroups(profiles []*Profile, archs []*arch.Arch) [][]string {
	// The calls behind socketcall and ipc decide about these too.
	via := map[string]string{}
	for _, c := range arch.Companions() {
		via[c.Call.Name()] = c.Via.Name()
	}
	const stub = "" // no call's name
	byCall := map[string]map[string]bool{}
	put := func(call string, caps []string) {
		if byCall[call] == nil {
			byCall[call] = map[string]bool{}
		}
		for _, c := range caps {
			byCall[call][c] = true
		}
	}
	above := newestNames(profiles, archs)
	for _, p := range profiles {
		for i := range p.Syscalls {
			var caps []string
			for _, f := range p.Syscalls[i].filters() {
				caps = append(caps, f.Caps...)
			}
			if len(caps) == 0 {
				continue
			}
			for _, name := range p.Syscalls[i].Names {
				put(name, caps)
				if v := via[name]; v != "" {
					put(v, caps)
				}
				if above[name] {
					put(stub, caps)
				}
			}
		}
	}
	var groups [][]string
	seen := map[string]bool{}
	for _, call := range slices.Sorted(maps.Keys(byCall)) {
		group := slices.Sorted(maps.Keys(byCall[call]))
		if key := strings.Join(group, ","); !seen[key] {
			seen[key] = true
			groups = append(groups, group)
		}
	}
	return groups
}

// newestNames returns the calls that can be the newest that a profile names for
// some target: on one of the architectures no rule that always counts names a newer one.
func newestNames(profiles []*Profile, archs []*arch.Arch) map[string]bool {
	names := map[string]bool{}
	for _, p := range profiles {
		highest := map[*arch.Arch]uint32{}
		number := func(yield func(s *Syscall, name string, a *arch.Arch, nr uint32)) {
			for i := range p.Syscalls {
				for _, name := range p.Syscalls[i].Names {
					c, known := arch.FindCall(name)
					for _, a := range archs {
						if nr, ok := a.NumberOf(c); known && ok {
							yield(&p.Syscalls[i], name, a, nr)
						}
					}
				}
			}
		}
		number(func(s *Syscall, _ string, a *arch.Arch, nr uint32) {
			if !s.Filtered() {
				highest[a] = max(highest[a], nr)
			}
		})
		number(func(_ *Syscall, name string, a *arch.Arch, nr uint32) {
			if nr > highest[a] {
				names[name] = true
			}
		})
	}
	return names
}
