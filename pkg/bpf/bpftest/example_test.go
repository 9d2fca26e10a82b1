package bpftest_test

import (
	"fmt"
	"math/rand/v2"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

// A random program, and a call that is likely to take one of its rarer ways.
func ExampleRandom() {
	r := rand.New(rand.NewPCG(1, 2))
	p := bpftest.Random(r, bpftest.Full, 20)
	call := bpftest.Call(r, bpftest.Constants(p))
	words := call.Words(bpf.Little)
	_, err := p.Run(&words)
	fmt.Println(p.Validate(), err)
	// Output:
	// <nil> <nil>
}
