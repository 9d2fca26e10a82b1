package reference

import (
	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// highest is the highest number that a profile names on an architecture.
type highest struct {
	arch   *arch.Arch
	number uint32
}

// stub returns the instructions that runc puts before libseccomp's program
// (patchbpf.generateEnosysStub): they return enosys for numbers above the
// highest of their architecture, and go on to the program for all others. The
// tests are runc's; their layout is not, for that changes from one run to the
// next.
func stub(list []highest, enosys bpf.Return) bpf.Program {
	var p bpf.Program
	for _, h := range list {
		tests := section(h, enosys)
		p = append(p, bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, h.arch.Audit, 0, uint8(len(tests))))
		p = append(p, tests...)
	}
	return p
}

// section returns the tests for calls of one architecture.
func section(h highest, enosys bpf.Return) bpf.Program {
	p := bpf.Program{bpf.Load(bpf.OffNr)}
	switch h.arch.Name {
	case "s390", "s390x":
		// Call 0 stands for numbers that the kernel does not know.
		p = append(p, bpf.Jump(bpf.JEQ, 0, 0, 1), bpf.Ret(enosys))
	case "x86_64":
		p = append(p, bpf.Jump(bpf.JSET, arch.X32Bit, 2, 0))
	case "x32":
		p = append(p, bpf.Jump(bpf.JSET, arch.X32Bit, 0, 2))
	}
	return append(p, bpf.Jump(bpf.JGT, h.number, 0, 1), bpf.Ret(enosys))
}
