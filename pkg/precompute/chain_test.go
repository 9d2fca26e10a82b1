package precompute_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/precompute"
)

// returning is a filter that returns r for call 1, and allows the others.
func returning(r bpf.Return) bpf.Program {
	return bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 1, 0, 1), bpf.Ret(r), allow}
}

func chain(t testing.TB, programs ...bpf.Program) *precompute.Chain {
	t.Helper()
	c := precompute.NewChain(bpf.Little, x86_64, i386)
	for _, p := range programs {
		if err := c.Append(p, 0); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestPrecedence has the actions in the kernel's order, the strongest first:
// each one wins over all that follow, whichever is newer.
func TestPrecedence(t *testing.T) {
	order := []bpf.Return{
		bpf.RetKillProcess, 0x80010000, 0xffff0000, bpf.RetKillThread, 0x00010000, bpf.RetTrap, bpf.RetErrno, 0x00060000,
		bpf.RetUserNotif, bpf.RetTrace, 0x7ffb0000, bpf.RetLog, bpf.RetAllow,
	}
	call := bpf.Data{Nr: 1, Arch: x86_64}
	for i, strong := range order {
		for _, weak := range order[i:] {
			for _, rets := range [][2]bpf.Return{{strong | 1, weak | 2}, {weak | 2, strong | 1}} { // the oldest first
				want := precompute.Decision{Return: strong | 1, Filter: 0, Constant: true}
				switch {
				case strong == bpf.RetAllow:
					want.Return, want.Filter = bpf.RetAllow, -1 // ALLOW has no data
				case strong == weak:
					want.Return, want.Filter = rets[1], 1 // a tie: the newest one's data
				case rets[1] == strong|1:
					want.Filter = 1
				}
				c := chain(t, returning(rets[0]), returning(rets[1]))
				if got := c.Evaluate(&call); got != want {
					t.Errorf("%v, then %v: %+v, want %+v", rets[0], rets[1], got, want)
				}
			}
		}
	}
}

// slow is the definition of Evaluate: ask all programs, the newest first.
func slow(programs []bpf.Program, d *bpf.Data) (ret bpf.Return, filter int) {
	ret, filter = bpf.RetAllow, -1
	w := d.Words(bpf.Little)
	for i := len(programs) - 1; i >= 0; i-- {
		r, err := programs[i].Run(&w)
		if err != nil {
			panic(err) // valid programs do not fail
		}
		if int32(r&0xffff0000) < int32(ret&0xffff0000) {
			ret, filter = r, i
		}
	}
	return ret, filter
}

func TestEvaluateRandomChains(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 4))
	constants := 0
	for range 1000 {
		programs := make([]bpf.Program, 1+r.IntN(5))
		for i := range programs {
			programs[i] = bpftest.Random(r, bpftest.Style(r.IntN(2)), 1+r.IntN(40))
		}
		c := chain(t, programs...)
		list := numbers(r, programs...)
		for range 200 {
			d := bpftest.Call(r, list)
			d.Arch = []uint32{x86_64, i386, d.Arch}[r.IntN(3)]
			got := c.Evaluate(&d)
			ret, filter := slow(programs, &d)
			if got.Return != ret || got.Filter != filter {
				t.Fatalf("call %+v: %+v, want %v of filter %d\n%v", d, got, ret, filter, programs)
			}
			if got.Constant {
				constants++
			}
		}
	}
	if constants == 0 {
		t.Error("no verdict came from a table")
	}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	c := chain(t, load(t, "docker-libseccomp-linear.bpf"), returning(bpf.Errno(1)))
	for _, d := range []bpf.Data{{Nr: 39, Arch: x86_64}, {Nr: 1, Arch: i386}, {Nr: 135, Arch: x86_64}, {Nr: 39}} {
		if n := testing.AllocsPerRun(100, func() { c.Evaluate(&d) }); n != 0 {
			t.Errorf("call %+v: %v allocations", d, n)
		}
	}
}

func TestEmptyChain(t *testing.T) {
	c := precompute.NewChain(bpf.Little, x86_64)
	want := precompute.Decision{Return: bpf.RetAllow, Filter: -1, Constant: true}
	if got := c.Evaluate(&bpf.Data{Arch: x86_64}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if c.Mode() != precompute.ModeDisabled || c.Len() != 0 {
		t.Errorf("mode %d, %d filters", c.Mode(), c.Len())
	}
}

// TestInheritance: what a thread has when it makes another is the other's too,
// and nothing that comes later.
func TestInheritance(t *testing.T) {
	parent := chain(t, returning(bpf.Errno(1)))
	child := parent.Clone()
	if err := child.Append(returning(bpf.RetKillThread), 0); err != nil {
		t.Fatal(err)
	}
	child.Exec()
	call := bpf.Data{Nr: 1, Arch: x86_64}
	if got := parent.Evaluate(&call); got.Return != bpf.Errno(1) || parent.Len() != 1 {
		t.Errorf("parent: %+v, %d filters", got, parent.Len())
	}
	if got := child.Evaluate(&call); got.Return != bpf.RetKillThread || child.Len() != 2 || child.Mode() != precompute.ModeFilter {
		t.Errorf("child: %+v, %d filters", got, child.Len())
	}
}

func TestAppendRefuses(t *testing.T) {
	full := chain(t)
	for range 8 { // 4088 instructions are 4092 after conversion
		p := make(bpf.Program, 4088)
		for i := range p {
			p[i] = bpf.Load(bpf.OffNr)
		}
		p[len(p)-1] = allow
		if err := full.Append(p, 0); err != nil {
			t.Fatal(err)
		}
	}
	listening := chain(t)
	if err := listening.Append(bpf.Program{allow}, precompute.FlagNewListener); err != nil {
		t.Fatal(err)
	}
	var (
		length      *bpf.LengthError
		instruction *bpf.InstructionError
		together    *precompute.ChainLengthError
	)
	for _, test := range []struct {
		name    string
		chain   *precompute.Chain
		program bpf.Program
		flags   precompute.Flags
		is      func(error) bool
		result  int64
	}{
		{"no instruction", chain(t), nil, 0, func(err error) bool { return errors.As(err, &length) }, -22},
		{"too many instructions", chain(t), make(bpf.Program, 4097), 0, func(err error) bool { return errors.As(err, &length) }, -22},
		{"invalid", chain(t), bpf.Program{bpf.Load(3), allow}, 0, func(err error) bool { return errors.As(err, &instruction) }, -22},
		{"too long together", full, bpf.Program{allow}, 0, func(err error) bool {
			return errors.As(err, &together) && together.Length > precompute.MaxChainLength
		}, -12},
		{"two listeners", listening, bpf.Program{allow}, precompute.FlagNewListener, func(err error) bool { return errors.Is(err, precompute.ErrListener) }, -16},
		{"unknown flags", chain(t), bpf.Program{allow}, 1 << 31, func(err error) bool { return errors.Is(err, precompute.ErrFlags) }, -22},
	} {
		before := test.chain.Len()
		err := test.chain.Append(test.program, test.flags)
		if !test.is(err) || precompute.Result(err) != test.result || test.chain.Len() != before {
			t.Errorf("%s: %v, result %d and %d filters; want %d and %d", test.name, err, precompute.Result(err), test.chain.Len(), test.result, before)
		}
	}
}

func TestSync(t *testing.T) {
	p := bpf.Program{allow}
	caller, behind, other := chain(t, p), chain(t), chain(t, p) // other has an equal filter, but its own
	err := caller.Sync(p, 0, precompute.Thread{ID: 11, Chain: behind}, precompute.Thread{ID: 12, Chain: other})
	var in *precompute.SyncError
	if !errors.As(err, &in) || in.Thread != 12 || precompute.Result(err) != 12 || caller.Len() != 1 || behind.Len() != 0 {
		t.Errorf("%v, %d and %d filters", err, caller.Len(), behind.Len())
	}
	err = caller.Sync(p, precompute.FlagTSyncESRCH, precompute.Thread{ID: 12, Chain: other})
	if precompute.Result(err) != -3 {
		t.Errorf("%v is %d", err, precompute.Result(err))
	}
	if err := caller.Sync(p, 0, precompute.Thread{ID: 11, Chain: behind}); err != nil || behind.Len() != 2 || caller.Len() != 2 {
		t.Errorf("%v, %d and %d filters", err, caller.Len(), behind.Len())
	}
}

func TestEffect(t *testing.T) {
	call := bpf.Data{Nr: 1, Arch: x86_64, IP: 0x401002}
	siginfo := func(data int32) precompute.Siginfo {
		return precompute.Siginfo{Signo: 31, Code: 1, Errno: data, CallAddr: 0x401002, Syscall: 1, Arch: x86_64}
	}
	tracer, last := precompute.Situation{Tracer: true}, precompute.Situation{LastThread: true}
	for _, test := range []struct {
		ret       bpf.Return
		flags     precompute.Flags
		situation precompute.Situation
		want      precompute.Effect
	}{
		{bpf.RetAllow | 5, precompute.FlagLog, last, precompute.Effect{Next: precompute.Execute, Filter: -1}},
		{bpf.RetLog, 0, last, precompute.Effect{Next: precompute.Execute, Log: true}},
		{bpf.Errno(1), 0, last, precompute.Effect{Next: precompute.Skip, Result: -1}},
		{bpf.Errno(0), 0, last, precompute.Effect{Next: precompute.Skip}},
		{bpf.Errno(4095), 0, last, precompute.Effect{Next: precompute.Skip, Result: -4095}},
		{bpf.Errno(4096), 0, last, precompute.Effect{Next: precompute.Skip, Result: -4095}},
		{bpf.Errno(1), precompute.FlagLog, last, precompute.Effect{Next: precompute.Skip, Result: -1, Log: true}},
		{bpf.RetTrap | 77, 0, last, precompute.Effect{Next: precompute.Signal, Siginfo: siginfo(77)}},
		{bpf.RetTrace | 9, 0, last, precompute.Effect{Next: precompute.Skip, Result: -38}},
		{bpf.RetTrace | 9, precompute.FlagLog, tracer, precompute.Effect{Next: precompute.Trace, Message: 9}},
		{bpf.RetUserNotif, 0, last, precompute.Effect{Next: precompute.Skip, Result: -38}},
		{bpf.RetUserNotif, precompute.FlagNewListener, last, precompute.Effect{Next: precompute.Notify}},
		{bpf.RetKillThread | 3, 0, precompute.Situation{}, precompute.Effect{Next: precompute.KillThread, Log: true}},
		{bpf.RetKillThread | 3, 0, last, precompute.Effect{Next: precompute.KillProcess, Siginfo: siginfo(3), Log: true}},
		{bpf.RetKillProcess, 0, precompute.Situation{}, precompute.Effect{Next: precompute.KillProcess, Siginfo: siginfo(0), Log: true}},
		{0x00120034, 0, precompute.Situation{}, precompute.Effect{Next: precompute.KillProcess, Siginfo: siginfo(0x34), Log: true}},
	} {
		c := chain(t)
		if err := c.Append(returning(test.ret), test.flags); err != nil {
			t.Fatal(err)
		}
		if got := c.Effect(c.Evaluate(&call), &call, test.situation); got != test.want {
			t.Errorf("%v, flags %#x, %+v: %+v, want %+v", test.ret, test.flags, test.situation, got, test.want)
		}
	}
}
