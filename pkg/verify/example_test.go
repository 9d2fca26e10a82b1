package verify_test

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// A filter that allows socket(2) for all families but AF_VSOCK, and a program
// for it that has forgotten that an argument has 64 bits.
func ExamplePolicy() {
	const x86_64, socket, vsock = 0xc000003e, 41, 40
	allow := spec.Verdict{Default: bpf.RetAllow}
	policy := &spec.Policy{
		Other: bpf.RetKillThread,
		Tokens: []spec.Token{{Audit: x86_64, Ranges: []spec.Range{
			{First: 0, Last: socket - 1, Verdict: allow},
			{First: socket, Last: socket, Verdict: spec.Verdict{
				Rules: []spec.Rule{{
					Conditions: []spec.Condition{{Arg: 0, Op: spec.NE, Mask: ^uint64(0), Value: vsock}},
					Return:     bpf.RetAllow,
					Origin:     3, // "syscalls"[3] of the profile
				}},
				Default: bpf.Errno(1),
			}},
			{First: socket + 1, Last: ^uint32(0), Verdict: allow},
		}}},
	}
	low, high := bpf.Little.Low(bpf.OffArgs), bpf.Little.High(bpf.OffArgs)
	short := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, x86_64, 0, 5),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, socket, 0, 2),
		bpf.Load(low), bpf.Jump(bpf.JEQ, vsock, 2, 0),
		bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetKillThread), bpf.Ret(bpf.Errno(1)),
	}
	right := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, x86_64, 0, 7),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, socket, 0, 4),
		bpf.Load(high), bpf.Jump(bpf.JEQ, 0, 0, 2),
		bpf.Load(low), bpf.Jump(bpf.JEQ, vsock, 2, 0),
		bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetKillThread), bpf.Ret(bpf.Errno(1)),
	}
	for _, prog := range []bpf.Program{short, right} {
		result, err := verify.Policy(policy, prog)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result)
	}
	// Output:
	// different: nr=41 arch=0xc000003e args=[0x100000028 0x0 0x0 0x0 0x0 0x0]: first ALLOW (rule 3), second ERRNO(1)
	// equal
}

// Two ways to say the same, one of them with a division.
func ExamplePrograms() {
	tens := bpf.Program{
		bpf.Load(bpf.OffNr), {Code: bpf.ALU | bpf.DIV | bpf.K, K: 10},
		bpf.Jump(bpf.JEQ, 4, 0, 1), bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(38)),
	}
	forties := bpf.Program{
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, 40, 0, 2),
		bpf.Jump(bpf.JGT, 49, 1, 0), bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(38)),
	}
	fmt.Println(verify.Programs(tens, forties, bpf.Little))
	// Output: equal <nil>
}
