package precompute_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/precompute/precomputetest"
)

const (
	x86_64 = 0xc000003e
	i386   = 0x40000003
)

// code makes an instruction of fields that have no constructor of their own.
func code(code uint16, k uint32) bpf.Instruction { return bpf.Instruction{Code: code, K: k} }

var (
	allow = bpf.Ret(bpf.RetAllow)
	deny  = bpf.Ret(bpf.Errno(1))
)

// known is what an interpreter that carries known values along finds for one
// number: the definition of "constant".
func known(p bpf.Program, nr, token uint32) (ret bpf.Return, constant bool, stop int) {
	type register struct {
		v  uint32
		ok bool
	}
	var a, x = register{0, true}, register{0, true}
	var scratch [bpf.ScratchWords]register
	stop = -1
	for pc := 0; ; pc++ {
		in := p[pc]
		operand := register{in.K, true}
		if in.Code&bpf.X != 0 {
			operand = x
		}
		followed := false
		switch in.Code {
		case bpf.LD | bpf.W | bpf.ABS:
			followed = in.K <= bpf.OffArch
			a = register{map[uint32]uint32{bpf.OffNr: nr, bpf.OffArch: token}[in.K], followed}
		case bpf.RET | bpf.K:
			return bpf.Return(in.K), true, stop
		case bpf.JMP | bpf.JA, bpf.JMP | bpf.JEQ, bpf.JMP | bpf.JGT, bpf.JMP | bpf.JGE, bpf.JMP | bpf.JSET, bpf.ALU | bpf.AND:
			followed = true
		}
		if !followed && stop < 0 {
			stop = pc
		}
		if in.Code == bpf.RET|bpf.A {
			return bpf.Return(a.v), a.ok, stop
		}
		switch in.Code & bpf.ClassMask {
		case bpf.LD, bpf.LDX:
			r := &a
			if in.Code&bpf.ClassMask == bpf.LDX {
				r = &x
			}
			switch in.Code & bpf.ModeMask {
			case bpf.IMM:
				*r = register{in.K, true}
			case bpf.LEN:
				*r = register{bpf.SizeOf, true}
			case bpf.MEM:
				*r = scratch[in.K]
			}
		case bpf.ST:
			scratch[in.K] = a
		case bpf.STX:
			scratch[in.K] = x
		case bpf.MISC:
			if in.Code == bpf.MISC|bpf.TAX {
				x = a
			} else {
				a = x
			}
		default: // ALU and JMP: let the interpreter do it, on these operands
			if in.Code == bpf.JMP|bpf.JA {
				pc += int(in.K)
				continue
			}
			isJump := in.Code&bpf.ClassMask == bpf.JMP
			divides := in.Code == bpf.ALU|bpf.DIV|bpf.X
			switch {
			case isJump && !(a.ok && operand.ok), divides && !operand.ok:
				return 0, false, stop
			case divides && operand.v == 0:
				return bpf.RetKillThread, true, stop
			case isJump:
				in.Jt, in.Jf = 0, 1
				step := bpf.Program{code(bpf.LDX|bpf.IMM, operand.v), code(bpf.LD|bpf.IMM, a.v), in, bpf.Ret(1), bpf.Ret(0)}
				if taken, _ := step.Run(&bpf.Words{}); taken == 1 {
					pc += int(p[pc].Jt)
				} else {
					pc += int(p[pc].Jf)
				}
			case a.ok && operand.ok || in.Code == bpf.ALU|bpf.NEG && a.ok:
				step := bpf.Program{code(bpf.LDX|bpf.IMM, operand.v), code(bpf.LD|bpf.IMM, a.v), in, code(bpf.RET|bpf.A, 0)}
				ret, _ := step.Run(&bpf.Words{})
				a = register{uint32(ret), true}
			default:
				a = register{}
			}
		}
	}
}

// numbers are those at which the verdicts of programs change, and some others.
func numbers(r *rand.Rand, programs ...bpf.Program) []uint32 {
	list := bpftest.Constants(programs...)
	for range 64 {
		list = append(list, r.Uint32(), r.Uint32N(600), 0x40000000+r.Uint32N(600))
	}
	return list
}

// checkTable compares a table with every oracle at the given numbers.
func checkTable(t *testing.T, p bpf.Program, token uint32, numbers []uint32, prober *precomputetest.Prober, r *rand.Rand) {
	t.Helper()
	table, err := precompute.NewTable(p, token)
	if err != nil {
		t.Fatal(err)
	}
	for r := range table.Ranges() { // the borders of ranges are where it matters
		numbers = append(numbers, r.First, r.Last)
	}
	for _, nr := range numbers {
		got := table.Lookup(nr)
		ret, constant, stop := known(p, nr, token)
		if !constant {
			ret = 0
		}
		if want := (precompute.Outcome{Constant: constant, Return: ret, Stop: stop}); got != want {
			t.Fatalf("number %#x: %+v, want %+v\n%v", nr, got, want, p)
		}
		if got.Cached() != precomputetest.ConstantAllow(p, nr, token) {
			t.Fatalf("number %#x: %+v, and the kernel's loop says cached %v\n%v", nr, got, !got.Cached(), p)
		}
		if (table.Why(got) == "") != got.Cached() {
			t.Fatalf("number %#x: cached %v, why not: %q", nr, got.Cached(), table.Why(got))
		}
		if got.Constant {
			d := bpftest.Call(r, numbers)
			d.Nr, d.Arch = nr, token
			w := d.Words(bpf.Little)
			if ret, err := p.Run(&w); err != nil || ret != got.Return {
				t.Fatalf("number %#x: %+v, and %+v returns %v, %v\n%v", nr, got, d, ret, err, p)
			}
		}
		if prober == nil {
			continue
		}
		if ret, touched, err := prober.Probe(p, nr, token); err != nil {
			t.Fatalf("probe: %v\n%v", err, p)
		} else if touched == 0 && (!got.Constant || got.Return != ret) {
			t.Fatalf("number %#x: %+v, and the program returned %v without a look at arguments\n%v", nr, got, ret, p)
		} else if touched != 0 && got.Cached() {
			t.Fatalf("number %#x: cached, and the program looked at offset %d\n%v", nr, touched, p)
		}
	}
}

// newProber returns nil where there is no such oracle.
func newProber(t testing.TB) *precomputetest.Prober {
	t.Helper()
	p, err := precomputetest.NewProber()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Logf("without access probing: %v", err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestTablesOfRandomPrograms(t *testing.T) {
	prober := newProber(t)
	r := rand.New(rand.NewPCG(1, 4))
	for range 400 {
		style := []bpftest.Style{bpftest.Compiled, bpftest.Full}[r.IntN(2)]
		p := bpftest.Random(r, style, 1+r.IntN(80))
		list := numbers(r, p)
		for _, token := range []uint32{x86_64, i386, r.Uint32()} {
			checkTable(t, p, token, list, prober, r)
		}
	}
}

// ranges lists the ranges of a table.
func ranges(t *precompute.Table) []precompute.Range {
	var list []precompute.Range
	for r := range t.Ranges() {
		list = append(list, r)
	}
	return list
}

func TestTablesCoverAllNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	for range 500 {
		p := bpftest.Random(r, bpftest.Full, 1+r.IntN(80))
		table, err := precompute.NewTable(p, x86_64)
		if err != nil {
			t.Fatal(err)
		}
		checkCover(t, table)
	}
}

// checkCover asks that a table's ranges have no gap and do not overlap.
func checkCover(t *testing.T, table *precompute.Table) {
	t.Helper()
	next := uint64(0)
	for r := range table.Ranges() {
		if uint64(r.First) != next || r.Last < r.First {
			t.Fatalf("range %+v does not start at %#x", r, next)
		}
		next = uint64(r.Last) + 1
	}
	if next != math.MaxUint32+1 {
		t.Fatalf("ranges end at %#x", next-1)
	}
}
