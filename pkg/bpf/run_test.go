package bpf

import (
	"errors"
	"testing"
)

// Each operation on its own, as bpf_convert_filter (net/core/filter.c) and the
// eBPF interpreter (kernel/bpf/core.c) define it: A and X start as given, the
// result is A.
func TestRunArithmetic(t *testing.T) {
	const max = 0xffffffff
	tests := []struct {
		name    string
		op      uint16
		a, b, r uint32
	}{
		{"ADD", ADD, 2, 3, 5},
		{"ADD wraps", ADD, max, 2, 1},
		{"SUB", SUB, 5, 3, 2},
		{"SUB wraps", SUB, 3, 5, max - 1},
		{"MUL", MUL, 7, 6, 42},
		{"MUL keeps the low word", MUL, 0x10001, 0x10001, 0x20001},
		{"DIV", DIV, 43, 6, 7},
		{"DIV is unsigned", DIV, max, 2, 0x7fffffff},
		{"DIV by more", DIV, 5, max, 0},
		{"AND", AND, 0xf0f0, 0xff00, 0xf000},
		{"OR", OR, 0xf0f0, 0xff00, 0xfff0},
		{"XOR", XOR, 0xf0f0, 0xff00, 0x0ff0},
		{"LSH", LSH, 0x80000001, 4, 0x10},
		{"LSH by 0", LSH, 7, 0, 7},
		{"LSH by 31", LSH, 3, 31, 0x80000000},
		{"RSH is logical", RSH, 0x80000001, 4, 0x08000000},
		{"RSH by 31", RSH, 0x80000000, 31, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			load := Program{{Code: LD | IMM, K: tt.a}}
			end := Program{{Code: RET | A}}
			constant := append(append(load, Instruction{Code: ALU | tt.op | K, K: tt.b}), end...)
			index := append(append(load, Instruction{Code: LDX | IMM, K: tt.b}, Instruction{Code: ALU | tt.op | X, K: 0xbad}), end...)
			for source, p := range map[string]Program{"K": constant, "X": index} {
				if got := mustRun(t, p, &Words{}); got != Return(tt.r) {
					t.Errorf("%#x, %#x from %s: got %#x, want %#x", tt.a, tt.b, source, uint32(got), tt.r)
				}
			}
		})
	}
}

func TestRunArithmeticOddities(t *testing.T) {
	tests := []struct {
		name    string
		program Program
		want    Return
	}{
		{"NEG", Program{{Code: LD | IMM, K: 1}, {Code: ALU | NEG}, {Code: RET | A}}, 0xffffffff},
		{"NEG of 0", Program{{Code: ALU | NEG}, {Code: RET | A}}, 0},
		// bpf_convert_filter: division by a zero X has always been "return 0".
		{"DIV by a zero X ends the program with 0", Program{
			{Code: LD | IMM, K: 7}, {Code: ALU | DIV | X}, Ret(RetAllow)}, RetKillThread},
		// kernel/bpf/core.c: the count of a 32-bit shift is taken modulo 32.
		{"LSH by X takes five bits", Program{
			{Code: LD | IMM, K: 1}, {Code: LDX | IMM, K: 33}, {Code: ALU | LSH | X}, {Code: RET | A}}, 2},
		{"RSH by X takes five bits", Program{
			{Code: LD | IMM, K: 8}, {Code: LDX | IMM, K: 0xffffffe2}, {Code: ALU | RSH | X}, {Code: RET | A}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustRun(t, tt.program, &Words{}); got != tt.want {
				t.Errorf("got %#x, want %#x", uint32(got), uint32(tt.want))
			}
		})
	}
}

func TestRunJumps(t *testing.T) {
	const big = 0x80000000 // comparisons are unsigned
	tests := []struct {
		name string
		op   uint16
		a, b uint32
		want bool
	}{
		{"JEQ equal", JEQ, 5, 5, true}, {"JEQ not", JEQ, 5, 4, false}, {"JEQ looks at all bits", JEQ, big, 0, false},
		{"JGT greater", JGT, 6, 5, true}, {"JGT equal", JGT, 5, 5, false}, {"JGT less", JGT, 4, 5, false}, {"JGT unsigned", JGT, big, 5, true},
		{"JGE greater", JGE, 6, 5, true}, {"JGE equal", JGE, 5, 5, true}, {"JGE less", JGE, 4, 5, false}, {"JGE unsigned", JGE, 5, big, false},
		{"JSET common bit", JSET, 6, 2, true}, {"JSET none", JSET, 6, 9, false}, {"JSET top bit", JSET, big, big, true}, {"JSET 0", JSET, 6, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Jt and Jf lead to different instructions, neither the next one.
			end := Program{Ret(99), Ret(0), Ret(1)}
			constant := append(Program{{Code: LD | IMM, K: tt.a}, Jump(tt.op, tt.b, 2, 1)}, end...)
			index := append(Program{{Code: LD | IMM, K: tt.a}, {Code: LDX | IMM, K: tt.b}, {Code: JMP | tt.op | X, Jt: 2, Jf: 1, K: 0xbad}}, end...)
			for source, p := range map[string]Program{"K": constant, "X": index} {
				if got := mustRun(t, p, &Words{}) == 1; got != tt.want {
					t.Errorf("%#x, %#x from %s: got %v", tt.a, tt.b, source, got)
				}
			}
		})
	}
	if got := mustRun(t, Program{JumpAlways(2), Ret(1), Ret(2), Ret(3)}, &Words{}); got != 3 {
		t.Errorf("JA 2 led to RET %d", got)
	}
}

func TestRunMoves(t *testing.T) {
	retA := Instruction{Code: RET | A}
	tests := []struct {
		name    string
		program Program
		want    Return
	}{
		{"A starts as 0", Program{retA}, 0},
		{"X starts as 0", Program{{Code: LD | IMM, K: 5}, {Code: MISC | TXA}, retA}, 0},
		{"LD IMM", Program{{Code: LD | IMM, K: 5}, retA}, 5},
		{"LDX IMM, TXA", Program{{Code: LDX | IMM, K: 5}, {Code: MISC | TXA}, retA}, 5},
		{"TAX copies A", Program{{Code: LD | IMM, K: 5}, {Code: MISC | TAX}, {Code: LD | IMM, K: 1}, {Code: ALU | ADD | X}, retA}, 6},
		{"LD LEN is the size of struct seccomp_data", Program{{Code: LD | W | LEN}, retA}, 64},
		{"LDX LEN too", Program{{Code: LDX | W | LEN}, {Code: MISC | TXA}, retA}, 64},
		{"ST, LD MEM", Program{
			{Code: LD | IMM, K: 5}, {Code: ST, K: 0}, {Code: LD | IMM, K: 6}, {Code: ST, K: 15}, {Code: LD | MEM, K: 0}, retA}, 5},
		{"STX, LDX MEM", Program{
			{Code: LDX | IMM, K: 5}, {Code: STX, K: 15}, {Code: LDX | IMM, K: 6}, {Code: LDX | MEM, K: 15}, {Code: MISC | TXA}, retA}, 5},
		{"RET K leaves A alone", Program{{Code: LD | IMM, K: 5}, Ret(7)}, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustRun(t, tt.program, &Words{}); got != tt.want {
				t.Errorf("got %#x, want %#x", uint32(got), uint32(tt.want))
			}
		})
	}
}

// Every word of struct seccomp_data, on machines of both byte orders.
func TestRunLoads(t *testing.T) {
	d := Data{Nr: 0x100, Arch: 0x104, IP: 0x10c_0000_0108, Args: [6]uint64{
		0x114_0000_0110, 0x11c_0000_0118, 0x124_0000_0120, 0x12c_0000_0128, 0x134_0000_0130, 0x13c_0000_0138,
	}}
	for offset := uint32(0); offset < SizeOf; offset += 4 {
		p := Program{Load(offset), {Code: RET | A}}
		little, big := d.Words(Little), d.Words(Big)
		if got, want := mustRun(t, p, &little), Return(0x100+offset); got != want {
			t.Errorf("little-endian, offset %d: got %#x, want %#x", offset, uint32(got), uint32(want))
		}
		want := Return(0x100 + offset)
		if offset >= OffIP {
			want ^= 4 // the high word comes first
		}
		if got := mustRun(t, p, &big); got != want {
			t.Errorf("big-endian, offset %d: got %#x, want %#x", offset, uint32(got), uint32(want))
		}
	}
}

func TestEndianNamesTheHalves(t *testing.T) {
	for _, e := range []Endian{Little, Big} {
		d := Data{Args: [6]uint64{2: 0xaaaa_0000_bbbb}}
		w := d.Words(e)
		const off = OffArgs + 2*8
		if low, high := w[e.Low(off)/4], w[e.High(off)/4]; low != 0xbbbb || high != 0xaaaa {
			t.Errorf("byte order %d: low word %#x, high word %#x", e, low, high)
		}
	}
}

func TestRunCount(t *testing.T) {
	p := Program{Load(OffNr), Jump(JEQ, 1, 1, 0), JumpAlways(1), Ret(1), Ret(2)}
	for nr, want := range map[uint32]int{1: 3, 2: 4} {
		if _, executed, err := p.RunCount(&Words{nr}); executed != want || err != nil {
			t.Errorf("nr %d: executed %d (%v), want %d", nr, executed, err, want)
		}
	}
}

// Run meets invalid programs only by mistake; it must say so, not crash.
func TestRunRefusesInvalidPrograms(t *testing.T) {
	for name, p := range map[string]Program{
		"load outside the data":   {Load(64), Ret(0)},
		"unaligned load":          {Load(1), Ret(0)},
		"no such scratch word":    {{Code: LD | MEM, K: 16}, Ret(0)},
		"store outside scratch":   {{Code: STX, K: 0xffffffff}, Ret(0)},
		"unknown operation":       {{Code: 0xffff}, Ret(0)},
		"JA past the end":         {JumpAlways(1), Ret(0)},
		"JA far past the end":     {JumpAlways(0xffffffff), Ret(0)},
		"branch past the end":     {Jump(JEQ, 0, 200, 0), Ret(0)},
		"runs out of the program": {Load(0)},
	} {
		var instruction *InstructionError
		if _, err := p.Run(&Words{}); !errors.As(err, &instruction) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	var length *LengthError
	if _, err := (Program)(nil).Run(&Words{}); !errors.As(err, &length) {
		t.Errorf("empty program: got %v", err)
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	p := Program{Load(OffNr), {Code: ST, K: 2}, {Code: LDX | MEM, K: 2}, Jump(JEQ, 1, 0, 1), Ret(1), {Code: RET | A}}
	if n := testing.AllocsPerRun(100, func() { mustRun(t, p, &Words{1}) }); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func mustRun(t *testing.T, p Program, w *Words) Return {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// BenchmarkRun takes the longest path through a linear program, the baseline
// for what executing one instruction costs here.
func BenchmarkRun(b *testing.B) {
	p := Program{Load(OffNr)}
	for k := range uint32(300) {
		p = append(p, Jump(JEQ, 1000+k, 0, 1), Ret(RetAllow))
	}
	p = append(p, Ret(Errno(1)))
	w := Words{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(&w); err != nil {
			b.Fatal(err)
		}
	}
	_, n, _ := p.RunCount(&w)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/instruction")
}
