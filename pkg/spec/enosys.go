package spec

import (
	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// enosysStub returns what runc's -ENOSYS stub decides for the calls of one ABI
// before the filter proper sees them (libcontainer/seccomp/patchbpf): a call
// that is newer than every call that the profile names fails with ENOSYS, as
// on an older kernel, for the sake of programs that would take EPERM for a
// denial rather than for a call to do without.
func (r *resolver) enosysStub(a *arch.Arch) ranges {
	switch r.profile.Default.Action() {
	case bpf.RetAllow, bpf.RetLog, bpf.RetTrace:
		return nil
	}
	highest := r.highest(a)
	if highest == 0 {
		// runc's maximum starts at 0, so a profile that names only call 0
		// counts as one that names none.
		return nil
	}
	verdict := Verdict{Default: bpf.Errno(Enosys(r.target.Native))}
	newer := func(first, last uint32) Range { return Range{max(first, highest+1), last, verdict} }
	switch a.Name {
	case "x86_64":
		// The stub tells the two ABIs apart by one bit, where the filter
		// proper compares: numbers from 0x80000000 without it are x86_64's
		// here, and x32's there.
		return ranges{newer(0, arch.X32Bit-1), newer(2*arch.X32Bit, 3*arch.X32Bit-1)}
	case "x32":
		return ranges{newer(arch.X32Bit, 2*arch.X32Bit-1), newer(3*arch.X32Bit, maxNumber)}
	case "s390", "s390x":
		// Call 0 is how glibc makes a call by a number in a register; the
		// kernel leaves it there for numbers it does not know.
		return ranges{{0, 0, verdict}, newer(1, maxNumber)}
	}
	return ranges{newer(0, maxNumber)}
}

// highest returns the highest number on a of a call that the profile names,
// rules that have no effect included; 0 where there is none. Those that
// libseccomp resolves to a number of its own, because they are multiplexed, do
// not count.
func (r *resolver) highest(a *arch.Arch) uint32 {
	var highest uint32
	for nr, c := range a.Calls() {
		if r.uses.named[c] && !(a.Multiplexed && r.uses.companions[c].which != 0) {
			highest = nr
		}
	}
	return highest
}
