package precompute

import "seccomp-hook/pkg/bpf"

const (
	// MaxChainLength is how long the filters of one thread may be together
	// (MAX_INSNS_PER_PATH in kernel/seccomp.c), by ConvertedLength.
	MaxChainLength = 1 << 18 / 8
	// filterPenalty is what each filter that is already there counts on top.
	filterPenalty = 4
)

// ConvertedLength returns how many instructions the kernel counts p as towards
// MaxChainLength. It is not len(p): seccomp_attach_filter looks at the length
// of the program after bpf_convert_filter (net/core/filter.c) has made eBPF of
// it, which adds a prologue and takes two instructions for RET with a constant,
// for jumps that have two ways to go, and for comparisons with a constant above
// 0x7fffffff. (With net.core.bpf_jit_harden the JIT's constant blinding makes
// it longer still; that is not counted.)
func ConvertedLength(p bpf.Program) int {
	n := 3 // A = 0, X = 0, save the context pointer
	for _, in := range p {
		n++
		switch {
		case in.Code == bpf.RET|bpf.K:
			n++ // move the value, exit
		case in.Code == bpf.ALU|bpf.DIV|bpf.X:
			n += 4 // a zero divisor returns 0
		case in.Code == bpf.JMP|bpf.JA:
		case in.Code&bpf.ClassMask == bpf.JMP:
			if in.Code&bpf.X == 0 && int32(in.K) < 0 {
				n++ // immediates are signed: the constant goes through a register
			}
			invertible := in.Code&bpf.OpMask != bpf.JSET
			if in.Jf != 0 && (in.Jt != 0 || !invertible) {
				n++ // a jump for each way
			}
		}
	}
	return n
}
