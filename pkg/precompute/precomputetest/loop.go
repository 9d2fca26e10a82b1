package precomputetest

import "seccomp-hook/pkg/bpf"

// ConstantAllow emulates a program for one call number the way the kernel does
// (seccomp_is_const_allow in kernel/seccomp.c, Linux 5.11 to 6.18) and reports
// whether the kernel caches it. Over the numbers of a table it is the loop that
// benchmarks compare with. The program must be valid.
func ConstantAllow(p bpf.Program, nr, arch uint32) bool {
	a := uint32(0)
	for pc := 0; pc < len(p); pc++ {
		in := &p[pc]
		var taken bool
		switch in.Code {
		case bpf.LD | bpf.W | bpf.ABS:
			switch in.K {
			case bpf.OffNr:
				a = nr
			case bpf.OffArch:
				a = arch
			default:
				return false
			}
			continue
		case bpf.RET | bpf.K:
			return bpf.Return(in.K) == bpf.RetAllow
		case bpf.JMP | bpf.JA:
			pc += int(in.K)
			continue
		case bpf.ALU | bpf.AND | bpf.K:
			a &= in.K
			continue
		case bpf.JMP | bpf.JEQ | bpf.K:
			taken = a == in.K
		case bpf.JMP | bpf.JGE | bpf.K:
			taken = a >= in.K
		case bpf.JMP | bpf.JGT | bpf.K:
			taken = a > in.K
		case bpf.JMP | bpf.JSET | bpf.K:
			taken = a&in.K != 0
		default:
			return false
		}
		if taken {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	return false
}
