//go:build integration

package integration

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

func newReader(t testing.TB) *live.Reader {
	t.Helper()
	r, err := live.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func runningKernel(t testing.TB) precompute.Kernel {
	t.Helper()
	k, err := live.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// checkChain installs a chain, the oldest filter first, in a fresh child of
// mother, and compares what the kernel has with what is predicted.
func checkChain(t testing.TB, mother *puppet, reader *live.Reader, kernel precompute.Kernel, chain []bpf.Program) {
	t.Helper()
	child := mother.fork()
	defer child.kill()
	for i, p := range chain {
		if r := child.install(p, 0); r != 0 {
			t.Fatalf("filter %d: seccomp(2) returns %d\n%v", i, r, p)
		}
	}
	state, err := reader.Read(child.tid)
	if err != nil {
		t.Fatal(err)
	}
	if state.Count != len(chain) || len(state.Filters) != len(chain) {
		t.Fatalf("%d filters, the kernel has %d and %d were read", len(chain), state.Count, len(state.Filters))
	}
	for i, f := range state.Filters {
		if want := precompute.ConvertedLength(chain[i]); f.Length != want {
			t.Fatalf("filter %d: the kernel counts %d instructions, not %d\n%v", i, f.Length, want, chain[i])
		}
		predicted, err := kernel.Predict(chain[:i+1]...)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range predicted.Diff(f.Cache) {
			t.Errorf("chain of %d: %v", i+1, d)
		}
	}
	if t.Failed() {
		for i, p := range chain {
			t.Logf("filter %d:\n%v", i, p)
		}
		t.FailNow()
	}
}

// randomChain returns 1 to 6 filters of every kind of instruction.
func randomChain(r *rand.Rand) []bpf.Program {
	chain := make([]bpf.Program, 1+r.IntN(6))
	for i := range chain {
		style := bpftest.Compiled
		if r.IntN(3) == 0 {
			style = bpftest.Full
		}
		chain[i] = bpftest.Random(r, style, 1+r.IntN(60))
	}
	return chain
}

// TestKernelCachesWhatIsPredicted holds the model against the running kernel.
func TestKernelCachesWhatIsPredicted(t *testing.T) {
	const chains = 5000
	mother, reader, kernel := newPuppet(t), newReader(t), runningKernel(t)
	r := rand.New(rand.NewPCG(1824, 4))
	for range chains {
		checkChain(t, mother, reader, kernel, randomChain(r))
	}
}
