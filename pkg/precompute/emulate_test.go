package precompute_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
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

func TestHandWrittenFilters(t *testing.T) {
	for _, f := range precomputetest.Filters {
		t.Run(f.Name, func(t *testing.T) {
			tables, err := precompute.Tables(f.Program, x86_64, i386)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{f.Native, f.Compat} {
				if got := tables[i].Select(0, 469, precompute.Outcome.Cached).String(); got != want {
					t.Errorf("cached of table %d: %s, want %s", i, got, want)
				}
			}
			constant := tables[0].Select(0, 469, func(o precompute.Outcome) bool { return o.Constant })
			if constant.String() != f.Constant {
				t.Errorf("constant: %v, want %s", constant, f.Constant)
			}
			if why := tables[0].Why(tables[0].Lookup(7)); why != f.Why {
				t.Errorf("why not 7: %q, want %q", why, f.Why)
			}
		})
	}
}

// TestRanges has programs whose tables are known as a whole.
func TestRanges(t *testing.T) {
	x32 := uint32(0x40000000)
	last := uint32(math.MaxUint32)
	of := func(first, last uint32, r bpf.Return) precompute.Range {
		return precompute.Range{First: first, Last: last, Outcome: precompute.Outcome{Constant: true, Return: r, Stop: -1}}
	}
	const e1, ok = bpf.RetErrno | 1, bpf.RetAllow
	for _, test := range []struct {
		name    string
		program bpf.Program
		want    []precompute.Range
	}{
		{"x32 without its bit", bpf.Program{bpf.Load(bpf.OffNr), bpf.Mask(^x32), bpf.Jump(bpf.JGE, 100, 1, 0), deny, allow}, []precompute.Range{
			of(0, 99, e1), of(100, x32-1, ok), of(x32, x32+99, e1), of(x32+100, last, ok),
		}},
		{"even numbers of a few", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, 4, 2, 0), bpf.Jump(bpf.JSET, 1, 1, 0), deny, allow}, []precompute.Range{
			of(0, 0, e1), of(1, 1, ok), of(2, 2, e1), of(3, last, ok),
		}},
		{"negative numbers", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JSET, 0x80000000, 1, 0), allow, deny}, []precompute.Range{
			of(0, 0x7fffffff, ok), of(0x80000000, last, e1),
		}},
		{"the last number", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, last, 1, 0), allow, deny}, []precompute.Range{
			of(0, last-1, ok), of(last, last, e1),
		}},
		{"above the last number", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGT, last, 1, 0), allow, deny}, []precompute.Range{
			of(0, last, ok),
		}},
		{"same test twice", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 5, 2, 0), bpf.Jump(bpf.JEQ, 5, 0, 1), bpf.Ret(bpf.RetLog), allow}, []precompute.Range{
			of(0, last, ok),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, err := precompute.NewTable(test.program, x86_64)
			if err != nil {
				t.Fatal(err)
			}
			if got := ranges(table); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestActions(t *testing.T) {
	p := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 0, 10, 0),
		bpf.Jump(bpf.JGE, 300, 8, 0),
		bpf.Jump(bpf.JGE, 200, 8, 0),
		bpf.Jump(bpf.JEQ, 7, 5, 0),
		bpf.Jump(bpf.JEQ, 8, 6, 0),
		bpf.Jump(bpf.JEQ, 9, 6, 0),
		bpf.Jump(bpf.JEQ, 10, 6, 0),
		bpf.Jump(bpf.JEQ, 11, 6, 0),
		allow,
		code(bpf.RET|bpf.A, 0), // 7: KILL_THREAD(7)
		deny,
		bpf.Ret(bpf.RetLog),
		bpf.Ret(bpf.RetTrap),
		bpf.Ret(bpf.RetKillProcess),
		bpf.Load(bpf.OffArgs),
		code(bpf.RET|bpf.A, 0),
	}
	// The jumps by index: 0 to 12, from 300 to 11, from 200 to 12, 7 to 10, 8
	// to 12, 9 to 13, 10 to 14, 11 to 15.
	table, err := precompute.NewTable(p, x86_64)
	if err != nil {
		t.Fatal(err)
	}
	actions, dynamic := table.Actions(0, 400)
	const want = "KILL_PROCESS 10\nKILL_THREAD(7) 7\nTRAP 9\nERRNO(1) 300-400\nLOG 0,8,200-299\nALLOW 1-6,12-199\n"
	if actions.String() != want || dynamic.String() != "11" {
		t.Errorf("%v, dynamic %v; want %s", actions, dynamic, want)
	}
	all := dynamic
	for _, a := range actions {
		if overlap := all.Intersect(a.Calls); overlap != nil {
			t.Errorf("%v counted twice", overlap)
		}
		all = all.Union(actions.Of(a.Return))
	}
	if all.String() != "0-400" || actions.Of(bpf.RetTrace) != nil {
		t.Errorf("together %v", all)
	}
}

// TestLongChains takes linear programs, with tests that repeat and in every
// order, against the loop over numbers.
func TestLongChains(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	prober := newProber(t)
	for range 60 {
		n := 8 + r.IntN(100)
		p := bpf.Program{bpf.Load(bpf.OffNr)}
		if r.IntN(2) == 0 {
			p = append(p, bpf.Mask(^uint32(0x40000000)))
		}
		step := r.IntN(3) - 1 // descending, none, ascending
		for i := range n {
			k := uint32(r.IntN(40))
			if step != 0 {
				k = uint32(200 + step*i)
			}
			p = append(p, bpf.Jump(bpf.JEQ, k, uint8(n-1-i+r.IntN(4)), uint8(r.IntN(2)*min(1, n-1-i))))
			if r.IntN(8) == 0 && i < n-1 {
				p = append(p, bpf.JumpAlways(0))
			}
		}
		p = append(p, allow, allow, allow, allow)
		for i := len(p) - 4; i < len(p); i++ {
			p[i] = bpf.Ret(bpf.Errno(uint16(i)))
		}
		for i, in := range p { // jumps over the inserted ones may lead past the end
			if in.Code == bpf.JMP|bpf.JEQ {
				p[i].Jt = min(in.Jt, uint8(len(p)-2-i))
				p[i].Jf = min(in.Jf, uint8(len(p)-2-i))
			}
		}
		checkTable(t, p, x86_64, numbers(r, p), prober, r)
	}
}

// TestHostileArithmetic has programs whose outcomes are no short list of
// ranges. Their tables are exact all the same, and made in bounded time.
func TestHostileArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 4))
	prober := newProber(t)
	var deep bpf.Program // every bit of the number decides, one after the other
	deep = append(deep, bpf.Load(bpf.OffNr))
	for i := range 200 {
		deep = append(deep, bpf.Jump(bpf.JSET, 1<<(i%32), 1, 0), bpf.Load(bpf.OffNr), code(bpf.ALU|bpf.ADD, uint32(i)))
	}
	deep = append(deep, code(bpf.RET|bpf.A, 0))
	var wide bpf.Program // thousands of intervals, each of which takes a long way
	for i := range uint32(2000) {
		wide = append(wide, bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, i*1000003, 0, 0))
	}
	wide = append(wide, code(bpf.RET|bpf.A, 0))
	for name, p := range map[string]bpf.Program{
		"the number":      {bpf.Load(bpf.OffNr), code(bpf.RET|bpf.A, 0)},
		"its square":      {bpf.Load(bpf.OffNr), code(bpf.MISC|bpf.TAX, 0), code(bpf.ALU|bpf.MUL|bpf.X, 0), code(bpf.RET|bpf.A, 0)},
		"its parity":      {bpf.Load(bpf.OffNr), bpf.Jump(bpf.JSET, 1, 0, 1), deny, allow},
		"a byte of it":    {bpf.Load(bpf.OffNr), code(bpf.ALU|bpf.RSH, 8), bpf.Mask(0xff), bpf.Jump(bpf.JEQ, 3, 0, 1), deny, allow},
		"divided by it":   {bpf.Load(bpf.OffNr), code(bpf.MISC|bpf.TAX, 0), code(bpf.LD|bpf.IMM, 1000), code(bpf.ALU|bpf.DIV|bpf.X, 0), code(bpf.RET|bpf.A, 0)},
		"every bit":       deep,
		"many intervals":  wide,
		"sums that wrap":  {bpf.Load(bpf.OffNr), code(bpf.ALU|bpf.ADD, 0xfffffff0), bpf.Jump(bpf.JGE, 0x20, 0, 1), deny, allow},
		"shifted to zero": {bpf.Load(bpf.OffNr), bpf.Mask(0xffff0000), code(bpf.ALU|bpf.SUB, 0x10000), bpf.Jump(bpf.JEQ, 0, 0, 1), deny, allow},
	} {
		t.Run(name, func(t *testing.T) {
			checkTable(t, p, x86_64, numbers(r, p[:min(len(p), 50)]), prober, r)
		})
	}
}

// FuzzTables asks every oracle about a program made of the fuzzer's bytes, and
// that what is not valid is an error which names the instruction.
func FuzzTables(f *testing.F) {
	r := rand.New(rand.NewPCG(13, 4))
	for i := range 50 {
		raw, err := bpftest.Random(r, bpftest.Style(i%2), 1+r.IntN(30)).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint32(x86_64), uint64(i))
	}
	for _, filter := range precomputetest.Filters {
		raw, err := filter.Program.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint32(i386), uint64(0))
	}
	f.Add([]byte{}, uint32(0), uint64(0))
	f.Fuzz(func(t *testing.T, raw []byte, token uint32, seed uint64) {
		var p bpf.Program
		if p.UnmarshalBinary(raw) != nil {
			return
		}
		if _, err := precompute.NewTable(p, token); err != nil {
			var (
				length      *bpf.LengthError
				instruction *bpf.InstructionError
			)
			if !errors.As(err, &length) && !errors.As(err, &instruction) {
				t.Fatalf("%v\n%v", err, p)
			}
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		list := numbers(r, p)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		checkTable(t, p, token, list[:min(len(list), 200)], newProber(t), r)
	})
}

// TestMalformedPrograms: what the kernel refuses has no table, and the error
// says where.
func TestMalformedPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		program bpf.Program
		at      int // -1: the length
	}{
		"empty":                 {nil, -1},
		"too long":              {make(bpf.Program, bpf.MaxInstructions+1), -1},
		"jump past the end":     {bpf.Program{allow, bpf.JumpAlways(1), allow}, 1},
		"branch past the end":   {bpf.Program{bpf.Jump(bpf.JEQ, 0, 0, 1), allow}, 0},
		"unaligned load":        {bpf.Program{bpf.Load(bpf.OffNr), bpf.Load(5), allow}, 1},
		"load past the data":    {bpf.Program{bpf.Load(bpf.SizeOf), allow}, 0},
		"division by zero":      {bpf.Program{code(bpf.ALU|bpf.DIV, 0), allow}, 0},
		"no return":             {bpf.Program{bpf.Load(bpf.OffNr)}, 0},
		"unknown operation":     {bpf.Program{code(0xffff, 0), allow}, 0},
		"unwritten memory":      {bpf.Program{code(bpf.LD|bpf.MEM, 3), allow}, 0},
		"no such memory":        {bpf.Program{code(bpf.ST, 16), allow}, 0},
		"shift by the word":     {bpf.Program{code(bpf.ALU|bpf.LSH, 32), allow}, 0},
		"jump around the world": {bpf.Program{bpf.JumpAlways(math.MaxUint32), allow}, 0},
	} {
		_, err := precompute.NewTable(test.program, x86_64)
		var (
			length      *bpf.LengthError
			instruction *bpf.InstructionError
		)
		switch {
		case test.at < 0 && errors.As(err, &length) && length.Length == len(test.program):
		case test.at >= 0 && errors.As(err, &instruction) && instruction.Index == test.at:
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
}
