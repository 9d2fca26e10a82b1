package precomputetest_test

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute/precomputetest"
)

// A program that looks at an argument of one call, as the kernel's loop finds
// it.
func ExampleConstantAllow() {
	p := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 41, 0, 2),
		bpf.Load(bpf.OffArgs),
		bpf.Jump(bpf.JEQ, 40, 1, 0),
		bpf.Ret(bpf.RetAllow),
		bpf.Ret(bpf.Errno(1)),
	}
	for nr := range uint32(43) {
		if !precomputetest.ConstantAllow(p, nr, 0xc000003e) {
			fmt.Println("not cached:", nr)
		}
	}
	// Output:
	// not cached: 41
}
