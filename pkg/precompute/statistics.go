package precompute

import (
	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

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

// Count counts the calls that package arch has for a. Of each of the filters, the
// oldest first, it takes the table for a's token.
func Count(a *arch.Arch, k Kernel, filters ...*Table) Statistics {
	s := Statistics{Arch: a.Name}
	for nr := range a.Calls() {
		cached := true
		chain := verdict{ret: bpf.RetAllow, filter: -1, constant: true}
		for i, t := range filters {
			o := t.lookup(nr)
			cached = cached && o.unpack().Cached()
			chain = verdictOf(o, i).over(chain)
		}
		if k.Serves(a.Audit, nr, cached) {
			s.Cached++
		}
		if chain.constant {
			s.Constant++
		} else {
			s.Dynamic++
		}
		s.Total++
	}
	return s
}
