package precompute

import (
	"fmt"
	"iter"
	"sync"
	"unsafe"

	"seccomp-hook/pkg/bpf"
)

// Outcome is what a program does with one call number, whatever else the call
// consists of.
type Outcome struct {
	// Constant says that the return value does not depend on the arguments or
	// the instruction pointer.
	Constant bool
	// Return is the value of a constant outcome, its data included.
	Return bpf.Return
	// Stop is the index of the first instruction on the path that the kernel's
	// emulator does not follow, -1 where it follows all of them. It is never
	// -1 where Constant is false.
	Stop int
}

// Cached reports whether the kernel would cache the outcome: it is ALLOW,
// without data, and the kernel's emulator finds that out. Whether the kernel
// has a bit for the number is the Kernel's to say.
func (o Outcome) Cached() bool {
	return o.Constant && o.Stop < 0 && o.Return == bpf.RetAllow
}

// outcome is an Outcome in one word: the return value in the upper half, then
// Stop, then flags.
type outcome uint64

const (
	flagConstant outcome = 1 << iota
	flagComputed         // the numbers of the range differ: emulate the one asked for
)

const outcomeComputed = outcome(noStop)<<16 | flagComputed

func outcomeOf(ret uint32, stop uint16) outcome {
	return outcome(ret)<<32 | outcome(stop)<<16 | flagConstant
}

func outcomeDynamic(stop uint16) outcome { return outcome(stop) << 16 }

func (o outcome) unpack() Outcome {
	u := Outcome{Constant: o&flagConstant != 0, Return: bpf.Return(o >> 32), Stop: int(uint16(o >> 16))}
	if u.Stop == noStop {
		u.Stop = -1
	}
	return u
}

// Table maps every call number of one architecture to what a program does with
// it. A Table is immutable.
type Table struct {
	token    uint32
	program  bpf.Program
	firsts   starts
	outcomes []outcome
}

// NewTable emulates p for the calls that carry the AUDIT_ARCH_* token. The
// program must be valid; the error is the one of its Validate. The Table keeps
// p, which must not change anymore.
func NewTable(p bpf.Program, token uint32) (*Table, error) {
	tables, err := Tables(p, token)
	if err != nil {
		return nil, err
	}
	return tables[0], nil
}

// Tables is NewTable for several architectures.
func Tables(p bpf.Program, tokens ...uint32) ([]*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	e := workspace.Get().(*emulator)
	defer workspace.Put(e)
	e.program = p
	tables := make([]*Table, len(tokens))
	for i, token := range tokens {
		e.token = token
		tables[i] = e.table()
	}
	e.program = nil
	return tables, nil
}

// workspace keeps emulators, for the slices they have grown.
var workspace = sync.Pool{New: func() any { return new(emulator) }}

// Size returns how many bytes of memory the table takes, the program not
// counted.
func (t *Table) Size() int {
	return int(unsafe.Sizeof(*t)) + len(t.firsts)*int(unsafe.Sizeof(t.firsts[0])) + len(t.outcomes)*int(unsafe.Sizeof(t.outcomes[0]))
}

// Token returns the AUDIT_ARCH_* token that the table is for.
func (t *Table) Token() uint32 { return t.token }

// Lookup returns the outcome for call number nr.
func (t *Table) Lookup(nr uint32) Outcome { return t.lookup(nr).unpack() }

func (t *Table) lookup(nr uint32) outcome {
	o := t.outcomes[t.firsts.find(nr)]
	if o&flagComputed != 0 {
		e := emulator{program: t.program, token: t.token}
		return e.lookup(nr)
	}
	return o
}

// Range is the call numbers from First to Last, both included, with one
// Outcome.
type Range struct {
	First, Last uint32
	Outcome     Outcome
	// Computed says that the numbers differ, in a way that is no list of
	// ranges ("return the call number squared"). Outcome has no meaning then;
	// Lookup has the one of each number.
	Computed bool
}

// Ranges yields the ranges of the table in ascending order. They cover all
// numbers and neighbours differ.
func (t *Table) Ranges() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for i, first := range t.firsts {
			o := t.outcomes[i]
			r := Range{First: first, Last: t.firsts.last(i), Outcome: o.unpack(), Computed: o&flagComputed != 0}
			if !yield(r) {
				return
			}
		}
	}
}

// Why returns the reason why the kernel does not cache o, an Outcome of this
// table, in words; "" where it does.
func (t *Table) Why(o Outcome) string {
	switch {
	case o.Cached():
		return ""
	case o.Stop >= 0 && o.Stop < len(t.program):
		return fmt.Sprintf("instruction %d: %v", o.Stop, t.program[o.Stop])
	case o.Return.Action() == bpf.RetAllow:
		return fmt.Sprintf("action %v has data", o.Return)
	default:
		return fmt.Sprintf("action %v", o.Return)
	}
}

// Select returns the numbers from first to last for whose outcome keep returns
// true. Computed ranges are emulated number by number, so the time it takes
// then grows with the window.
func (t *Table) Select(first, last uint32, keep func(Outcome) bool) Set {
	var s Set
	t.visit(first, last, func(lo, hi uint32, o Outcome) {
		if keep(o) {
			s = s.extend(lo, hi)
		}
	})
	return s
}

// visit calls f for the numbers from first to last in ascending order, for as
// many with one outcome at a time as the table has together.
func (t *Table) visit(first, last uint32, f func(lo, hi uint32, o Outcome)) {
	for i := t.firsts.find(first); i < len(t.firsts) && t.firsts[i] <= last; i++ {
		lo, hi := max(first, t.firsts[i]), min(last, t.firsts.last(i))
		if t.outcomes[i]&flagComputed == 0 {
			f(lo, hi, t.outcomes[i].unpack())
			continue
		}
		for nr := uint64(lo); nr <= uint64(hi); nr++ {
			f(uint32(nr), uint32(nr), t.Lookup(uint32(nr)))
		}
	}
}
