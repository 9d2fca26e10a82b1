//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/precompute/precomputetest"
)

func newReader(t testing.TB) *live.Reader {
	t.Helper()
	r, err := live.NewReader()
	if errors.Is(err, live.ErrKernelTooOld) || errors.Is(err, precompute.ErrNoCache) {
		t.Skip(err) // TestKernelFacts says whether that is so
	}
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
	mother, reader, kernel := newPuppet(t), newReader(t), runningKernel(t)
	r := rand.New(rand.NewPCG(1824, 4))
	for range 2 * *randomFilters {
		checkChain(t, mother, reader, kernel, randomChain(r))
	}
}

// TestKernelCachesHandWrittenFilters goes through all that gets a call into the
// cache or keeps it out, one by one.
func TestKernelCachesHandWrittenFilters(t *testing.T) {
	mother, reader, kernel := newPuppet(t), newReader(t), runningKernel(t)
	for _, f := range precomputetest.Filters {
		f.Program = forThisMachine(f.Program)
		checkChain(t, mother, reader, kernel, []bpf.Program{f.Program})

		child := mother.fork()
		child.must(child.install(f.Program, 0))
		state, err := reader.Read(child.tid)
		if err != nil {
			t.Fatal(err)
		}
		child.kill()
		cache, _ := state.Cache()
		for i, want := range []string{f.Native, f.Compat} {
			if got := cached(&cache.Tables[i]); got.String() != want {
				t.Errorf("%s: the kernel's table %s has %v, want %s", f.Name, cache.Tables[i].Name, got, want)
			}
		}
	}
}

// forThisMachine has a program for x86_64 and i386 look at this machine's
// architectures in their places.
func forThisMachine(p bpf.Program) bpf.Program {
	p = slices.Clone(p)
	for i, in := range p {
		switch in {
		case bpf.Jump(bpf.JEQ, 0xc000003e, in.Jt, in.Jf):
			p[i].K = kernelTokens[0]
		case bpf.Jump(bpf.JEQ, 0x40000003, in.Jt, in.Jf):
			p[i].K = kernelTokens[1]
		}
	}
	return p
}

// cached returns the numbers up to 469 that a table has, without those that the
// kernel would allow anyway: they count as their neighbours, and so do those
// behind the end of an older kernel's table, which are all alike to the filters.
func cached(table *precompute.CacheTable) precompute.Set {
	var s precompute.Set
	for nr := range uint32(470) {
		if table.Allows(min(nr, uint32(table.Size)-1)) {
			s = s.Union(precompute.Set{{First: nr, Last: nr}})
		}
	}
	for _, nr := range table.Always {
		if !s.Contains(nr - 1) {
			s = s.Minus(precompute.Set{{First: nr, Last: nr}})
		}
	}
	return s
}

// FuzzKernelCache looks for a chain whose cache is not as predicted, and for a
// program that only one side takes.
func FuzzKernelCache(f *testing.F) {
	r := rand.New(rand.NewPCG(1824, 5))
	for range 20 {
		chain := append(randomChain(r), nil)
		var raw [2][]byte
		for i := range raw {
			var err error
			if raw[i], err = chain[i].MarshalBinary(); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(raw[0], raw[1])
	}
	reader, kernel := newReader(f), runningKernel(f)
	f.Fuzz(func(t *testing.T, oldest, newest []byte) {
		mother := newPuppet(t)
		var chain []bpf.Program
		for _, raw := range [][]byte{oldest, newest} {
			var p bpf.Program
			if p.UnmarshalBinary(raw) != nil || len(p) == 0 {
				continue
			}
			if err := p.Validate(); err == nil {
				chain = append(chain, p)
			} else if got := mother.install(p, 0); got != -int64(unix.EINVAL) {
				t.Fatalf("seccomp(2) returns %d for what is refused here: %v\n%v", got, err, p)
			}
		}
		if len(chain) > 0 {
			checkChain(t, mother, reader, kernel, chain)
		}
	})
}
