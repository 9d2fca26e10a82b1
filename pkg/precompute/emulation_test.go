package precompute_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
)

// memoryAreas is NewMemoryAreas of areas that are right.
func memoryAreas(t testing.TB, areas ...precompute.Area) *precompute.MemoryAreas {
	t.Helper()
	m, err := precompute.NewMemoryAreas(areas...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// task is a task with an emulation filter before a chain.
func task(t testing.TB, f precompute.EmulationFilter, programs ...bpf.Program) *precompute.Task {
	t.Helper()
	task := precompute.NewTask(chain(t, programs...))
	if err := task.Emulate(f); err != nil {
		t.Fatal(err)
	}
	return task
}

func from(ip uint64) *precompute.Call {
	return &precompute.Call{Data: bpf.Data{Nr: 1, Arch: x86_64, IP: ip}, Entry: precompute.EntrySyscall64}
}

var (
	denied     = precompute.Decision{Return: bpf.Errno(7), Filter: 0, Constant: true}
	redirected = precompute.Decision{Return: bpf.RetTrap, Filter: -1, Redirected: true}
)

// TestEmulation: what passes is the chain's to decide, what does not never
// reaches it.
func TestEmulation(t *testing.T) {
	const page = 0x1000
	text := precompute.Area{Start: 0x400000, End: 0x400000 + page}
	high := precompute.Area{Start: math.MaxUint64 - page, End: math.MaxUint64}
	task := task(t, memoryAreas(t, high, text), returning(bpf.Errno(7)))
	for _, tt := range []struct {
		ip   uint64
		want precompute.Decision
	}{
		{0, redirected},
		{text.Start - 1, redirected},
		{text.Start, denied},
		{text.End - 1, denied},
		{text.End, redirected},
		{high.Start - 1, redirected},
		{high.Start, denied},
		{high.End - 1, denied},
		{math.MaxUint64, redirected},
	} {
		if got := task.Evaluate(from(tt.ip)); got != tt.want {
			t.Errorf("from %#x: %+v, want %+v", tt.ip, got, tt.want)
		}
	}
}

// TestRedirection: SIGSYS as a handler sees it. It is told from a filter's TRAP
// by its code alone, so the two are side by side.
func TestRedirection(t *testing.T) {
	call := from(0x1002)
	trap := chain(t, returning(bpf.RetTrap|3))
	filter, err := precompute.NewABIAreas(3)
	if err != nil {
		t.Fatal(err)
	}
	emulated := task(t, filter)
	want := precompute.Effect{Next: precompute.Signal, Filter: 0, Siginfo: precompute.Siginfo{
		Signo: 31, Code: 1, Errno: 3, CallAddr: 0x1002, Syscall: 1, Arch: x86_64,
	}}
	if got := trap.Effect(trap.Evaluate(&call.Data), &call.Data, precompute.Situation{}); got != want {
		t.Errorf("TRAP: %+v, want %+v", got, want)
	}
	want.Filter, want.Siginfo.Code = -1, 2
	if got := emulated.Effect(emulated.Evaluate(call), &call.Data, precompute.Situation{Tracer: true}); got != want {
		t.Errorf("redirected: %+v, want %+v", got, want)
	}
}

// TestEmulationLife: at most one filter; clone copies it, execve clears it,
// TSYNC leaves it alone.
func TestEmulationLife(t *testing.T) {
	nowhere := memoryAreas(t)
	parent := task(t, nowhere)
	if err := parent.Emulate(nowhere); !errors.Is(err, precompute.ErrEmulation) {
		t.Errorf("a second one: %v", err)
	}
	child, bare := parent.Clone(), precompute.NewTask(chain(t))
	siblings := []precompute.Thread{{ID: 2, Chain: child.Chain}, {ID: 3, Chain: bare.Chain}}
	if err := parent.Sync(returning(bpf.Errno(7)), 0, siblings...); err != nil {
		t.Fatal(err)
	}
	expect := func(when string, task *precompute.Task, want precompute.Decision) {
		t.Helper()
		if got := task.Evaluate(from(0x1000)); got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
		if task.Emulated() != want.Redirected {
			t.Errorf("%s: Emulated is %v", when, task.Emulated())
		}
	}
	expect("the caller of TSYNC", parent, redirected)
	expect("its clone", child, redirected)
	expect("a sibling without an emulation filter", bare, denied)
	child.Exec()
	expect("after execve", child, denied)
	expect("the parent of who called execve", parent, redirected)
	if err := child.Emulate(nowhere); err != nil {
		t.Errorf("the new program's first: %v", err)
	}
	if parent.Len() != 1 || parent.Mode() != precompute.ModeFilter {
		t.Errorf("%d filters, mode %d", parent.Len(), parent.Mode())
	}
}

// selector lets calls pass while a byte of the caller's says so, and INT $0x80
// never: all that a filter can see.
type selector uint64

func (s selector) Route(c *precompute.Call) (precompute.Route, error) {
	var b [1]byte
	err := c.Read(b[:], uint64(s))
	// On a fault too; whoever asks must not believe it.
	return precompute.Route{Pass: b[0] == 0 && c.Entry != precompute.EntryInt80 && len(c.Registers) == 0, Data: 9}, err
}

// TestEmulationState: what else than the address a filter can go by. A fault
// is a redirection, whatever the filter says besides.
func TestEmulationState(t *testing.T) {
	memory := bytes.NewReader([]byte{0, 1})
	because := redirected
	because.Return |= 9
	for _, tt := range []struct {
		name     string
		selector selector
		change   func(*precompute.Call)
		want     precompute.Decision
	}{
		{"allowed", 0, func(*precompute.Call) {}, denied},
		{"blocked", 1, func(*precompute.Call) {}, because},
		{"entry", 0, func(c *precompute.Call) { c.Entry = precompute.EntryInt80 }, because},
		{"registers", 0, func(c *precompute.Call) { c.Registers = make([]uint64, 27) }, because},
		{"past the end", 2, func(*precompute.Call) {}, redirected},
		{"the kernel's half", 1 << 63, func(*precompute.Call) {}, redirected},
		{"no memory", 0, func(c *precompute.Call) { c.Memory = nil }, redirected},
	} {
		c := from(0)
		c.Memory = memory
		tt.change(c)
		if got := task(t, tt.selector, returning(bpf.Errno(7))).Evaluate(c); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestABIAreas: Linux's code passes, the others' calls carry their ABI.
func TestABIAreas(t *testing.T) {
	const guest, unknown = 2, 5
	for _, elsewhere := range []precompute.ABI{precompute.ABILinux, unknown} {
		filter, err := precompute.NewABIAreas(elsewhere,
			precompute.Code{Area: precompute.Area{Start: 0x3000, End: 0x4000}, ABI: guest},
			precompute.Code{Area: precompute.Area{Start: 0x1000, End: 0x2000}, ABI: precompute.ABILinux},
			precompute.Code{Area: precompute.Area{Start: 0x4000, End: 0x5000}, ABI: unknown})
		if err != nil {
			t.Fatal(err)
		}
		task := task(t, filter, returning(bpf.Errno(7)))
		for ip, abi := range map[uint64]precompute.ABI{0x1000: precompute.ABILinux, 0x3fff: guest, 0x4000: unknown, 0x2000: elsewhere, 0x5000: elsewhere} {
			want := denied
			if abi != precompute.ABILinux {
				want = redirected
				want.Return |= bpf.Return(abi)
			}
			if got := task.Evaluate(from(ip)); filter.ABI(ip) != abi || got != want {
				t.Errorf("from %#x: ABI %d, %+v, want %d, %+v", ip, filter.ABI(ip), got, abi, want)
			}
		}
	}
}

// TestAreaErrors: the lists that cannot be.
func TestAreaErrors(t *testing.T) {
	type area = precompute.Area
	for want, areas := range map[string][]area{
		"precompute: area 0x1000-0x1000 is empty":                         {{0x1000, 0x1000}},
		"precompute: area 0x2000-0x1000 is empty":                         {{1, 2}, {0x2000, 0x1000}},
		"precompute: areas 0x1000-0x3000 and 0x2000-0x4000 overlap":       {{0x2000, 0x4000}, {0x1000, 0x3000}},
		"precompute: areas 0x1000-0x2000 and 0x1000-0x2000 overlap":       {{0x1000, 0x2000}, {0x1000, 0x2000}},
		"precompute: areas 0x1000-0x9000 and 0x2000-0x3000 overlap":       {{0x1000, 0x9000}, {0x2000, 0x3000}, {0x4000, 0x5000}},
		"precompute: areas 0x1-0xffffffffffffffff and 0x5-0x6 overlap":    {{5, 6}, {1, math.MaxUint64}},
		"precompute: area 0xffffffffffffffff-0xffffffffffffffff is empty": {{math.MaxUint64, math.MaxUint64}},
		"precompute: area 0xffffffffffffffff-0x1 is empty":                {{math.MaxUint64, 1}},
		"precompute: areas 0x1000-0x2000 and 0x1fff-0x3000 overlap":       {{0x1000, 0x2000}, {0x1fff, 0x3000}},
	} {
		var typed *precompute.AreaError
		if _, err := precompute.NewMemoryAreas(areas...); !errors.As(err, &typed) || err.Error() != want {
			t.Errorf("%v: %v, want %s", areas, err, want)
		}
		code := make([]precompute.Code, len(areas))
		for i, a := range areas {
			code[i].Area = a
		}
		if _, err := precompute.NewABIAreas(0, code...); !errors.As(err, &typed) || err.Error() != want {
			t.Errorf("as code: %v, want %s", err, want)
		}
	}
}

// TestMemoryAreasSearch holds the search against the definition, for random
// lists of areas that touch each other, or do not.
func TestMemoryAreasSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		var areas []precompute.Area
		for at := uint64(0); len(areas) < random.IntN(8); {
			start := at + random.Uint64N(3)
			at = start + 1 + random.Uint64N(3)
			areas = append(areas, precompute.Area{Start: start, End: at})
		}
		random.Shuffle(len(areas), func(i, j int) { areas[i], areas[j] = areas[j], areas[i] })
		filter := memoryAreas(t, areas...)
		for ip := range uint64(48) {
			want := false
			for _, a := range areas {
				want = want || a.Start <= ip && ip < a.End
			}
			if got, err := filter.Route(from(ip)); got.Pass != want || err != nil {
				t.Fatalf("%v: from %#x: %+v, %v", areas, ip, got, err)
			}
		}
	}
}

// TestTaskAllocates nothing, with and without an emulation filter.
func TestTaskAllocates(t *testing.T) {
	plain := precompute.NewTask(chain(t, returning(bpf.Errno(7))))
	emulated := task(t, memoryAreas(t, precompute.Area{Start: 0x1000, End: 0x2000}), returning(bpf.Errno(7)))
	inside, outside := from(0x1000), from(0x2000)
	if n := testing.AllocsPerRun(100, func() {
		plain.Evaluate(inside)
		emulated.Evaluate(inside)
		emulated.Evaluate(outside)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTask compares a task with its chain alone, on a constant call.
func BenchmarkTask(b *testing.B) {
	c := chain(b, returning(bpf.Errno(7)))
	plain := precompute.NewTask(c)
	emulated := task(b, memoryAreas(b, precompute.Area{Start: 0x1000, End: 0x2000}), returning(bpf.Errno(7)))
	call := from(0x1000)
	b.Run("chain", func(b *testing.B) {
		for b.Loop() {
			c.Evaluate(&call.Data)
		}
	})
	b.Run("task", func(b *testing.B) {
		for b.Loop() {
			plain.Evaluate(call)
		}
	})
	b.Run("task with areas", func(b *testing.B) {
		for b.Loop() {
			emulated.Evaluate(call)
		}
	})
}
