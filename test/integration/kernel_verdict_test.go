//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/precompute"
)

// randomFilters is for machines that take longer over each.
var randomFilters = flag.Int("random-filters", 2500, "how many random filters are held against the running kernel, and of how many chains, twice as many, the cache")

// safe reports whether call nr can be made.
func safe(e entry, nr uint32) bool {
	return slices.Contains(harmless[e.arch], nr) || slices.Contains(unused[e.arch], nr) || nr >= 600
}

// reachable makes p look at calls that can be made: its small constants, which
// are call numbers mostly, become numbers of such calls.
func reachable(r *rand.Rand, p bpf.Program) bpf.Program {
	pool := slices.Concat(harmless[kernelTokens[0]], harmless[kernelTokens[1]], unused[kernelTokens[0]][:6])
	for i, in := range p {
		if in.Code&bpf.ClassMask == bpf.JMP && in.Code != bpf.JMP|bpf.JA && in.K >= 5 && in.K < 512 {
			p[i].K = pool[r.IntN(len(pool))]
		}
	}
	return p
}

// randomCall returns a call by entry e that can be made.
func randomCall(r *rand.Rand, p *puppet, e entry, constants []uint32) bpf.Data {
	d := bpftest.Call(r, constants)
	d.Arch, d.IP = e.arch, p.ip(e)
	switch r.IntN(4) {
	case 0:
		d.Nr = harmless[e.arch][r.IntN(len(harmless[e.arch]))]
	case 1:
		d.Nr = unused[e.arch][r.IntN(len(unused[e.arch]))]
	}
	d.Nr &= numberMask
	if !safe(e, d.Nr) {
		d.Nr = 600 + r.Uint32N(1<<15)
	}
	if e != nativeEntry {
		for i := range d.Args {
			d.Args[i] &= 0xffffffff
		}
	}
	return d
}

// checkCall makes a call and compares what becomes of it with the model. It
// reports whether the puppet survived.
func checkCall(t testing.TB, p *puppet, c *precompute.Chain, e entry, d bpf.Data, s precompute.Situation) bool {
	t.Helper()
	decision := c.Evaluate(&d)
	effect := c.Effect(decision, &d, s)
	got := p.try(e, d.Nr, d.Args)
	want := ending{}
	executes := effect.Next == precompute.Execute
	switch effect.Next {
	case precompute.Skip:
		want.result = effect.Result
	case precompute.Signal:
		i := effect.Siginfo
		want.signal = true
		want.info = sigsysInfo{Signo: i.Signo, Errno: i.Errno, Code: i.Code, CallAddr: i.CallAddr, Syscall: i.Syscall, Arch: i.Arch}
		want.result = rolledBack(&d)
	case precompute.Trace:
		want.traced, want.message = true, uint64(effect.Message)
		executes = int32(d.Nr) >= 0 // the tracer lets it pass, the kernel does not what is negative (__seccomp_filter)
		want.result = skipped(&d)
	case precompute.KillThread, precompute.KillProcess:
		want.died = unix.SIGSYS
	}
	if executes {
		want.result = got.result
		if ok := slices.Contains(harmless[e.arch], d.Nr); ok != (got.result >= 0) || !ok && got.result != -int64(unix.ENOSYS) {
			t.Errorf("call %+v: %v, but it is let through: %+v", d, got, decision)
		}
	}
	if got != want {
		t.Errorf("call %+v: %v, want %v by %+v", d, got, want, decision)
	}
	return got.died == 0
}

// checkVerdicts installs a chain in a child of mother and makes calls under it.
func checkVerdicts(t testing.TB, mother *puppet, r *rand.Rand, chain []bpf.Program, calls int) {
	t.Helper()
	c := precompute.NewChain(byteOrder, kernelTokens[:]...)
	child := mother.fork()
	defer func() { child.kill() }()
	for i, p := range chain {
		if err := c.Append(p, 0); err != nil {
			t.Fatal(err)
		}
		if r := child.install(p, 0); r != 0 {
			t.Fatalf("filter %d: seccomp(2) returns %d\n%v", i, r, p)
		}
	}
	constants := bpftest.Constants(chain...)
	tracer := r.IntN(2) == 0
	child.wake()
	if tracer {
		child.setOptions(awake | unix.PTRACE_O_TRACESECCOMP)
	}
	ways := entries(t)
	for range calls {
		e := ways[r.IntN(len(ways))]
		d := randomCall(r, child, e, constants)
		if !checkCall(t, child, c, e, d, precompute.Situation{Tracer: tracer, LastThread: true}) {
			break // others are made by other filters
		}
	}
	if t.Failed() {
		for i, p := range chain {
			t.Logf("filter %d:\n%v", i, p)
		}
		t.FailNow()
	}
}

// TestKernelDecidesAsPredicted holds interpreter and chain against the running
// kernel: random filters, and calls by both entries with arguments around the
// filters' constants.
func TestKernelDecidesAsPredicted(t *testing.T) {
	mother := newPuppet(t)
	r := rand.New(rand.NewPCG(2000, 2))
	for i := range *randomFilters {
		chain := []bpf.Program{reachable(r, bpftest.Random(r, bpftest.Style(i%2), 1+r.IntN(40)))}
		if r.IntN(4) == 0 {
			chain = append(chain, reachable(r, bpftest.Random(r, bpftest.Full, 1+r.IntN(20))))
		}
		checkVerdicts(t, mother, r, chain, 12)
	}
}

// FuzzKernelVerdict looks for a filter and calls on which interpreter and
// kernel differ.
func FuzzKernelVerdict(f *testing.F) {
	r := rand.New(rand.NewPCG(2000, 3))
	for i := range 20 {
		raw, err := reachable(r, bpftest.Random(r, bpftest.Style(i%2), 1+r.IntN(40))).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint64(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		var p bpf.Program
		if p.UnmarshalBinary(raw) != nil || p.Validate() != nil {
			return
		}
		checkVerdicts(t, newPuppet(t), rand.New(rand.NewPCG(seed, 0)), []bpf.Program{p}, 12)
	})
}
