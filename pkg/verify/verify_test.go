package verify

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/spec"
)

// Instructions that package bpf has no function for.
var (
	retA = bpf.Instruction{Code: bpf.RET | bpf.A}
	tax  = bpf.Instruction{Code: bpf.MISC | bpf.TAX}
	txa  = bpf.Instruction{Code: bpf.MISC | bpf.TXA}
)

func alu(op uint16, k uint32) bpf.Instruction {
	return bpf.Instruction{Code: bpf.ALU | op | bpf.K, K: k}
}
func aluX(op uint16) bpf.Instruction { return bpf.Instruction{Code: bpf.ALU | op | bpf.X} }

func jumpX(op uint16, jt, jf uint8) bpf.Instruction {
	return bpf.Instruction{Code: bpf.JMP | op | bpf.X, Jt: jt, Jf: jf}
}

// TestPrograms has pairs of programs that are equal for a reason other than
// looking alike, and pairs that differ for a few calls out of 2^512.
func TestPrograms(t *testing.T) {
	const (
		arg0     = bpf.OffArgs // the low word on a little-endian machine
		arg0High = bpf.OffArgs + 4
		arg1     = bpf.OffArgs + 8
	)
	allow, deny := bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(1))
	decide := func(p ...bpf.Instruction) bpf.Program { return append(p, allow, deny) }
	tests := []struct {
		name string
		a, b bpf.Program
		want Outcome
	}{
		{"alike", bpf.Program{allow}, bpf.Program{allow}, Equal},
		{"other value", bpf.Program{allow}, bpf.Program{deny}, Different},
		{"other data of the same action", bpf.Program{bpf.Ret(bpf.Errno(1))}, bpf.Program{bpf.Ret(bpf.Errno(38))}, Different},
		{"return A is 0 at first", bpf.Program{retA}, bpf.Program{bpf.Ret(0)}, Equal},
		{"return X is 0 at first", bpf.Program{{Code: bpf.LD | bpf.IMM, K: 9}, txa, retA}, bpf.Program{bpf.Ret(0)}, Equal},

		{"order of tests", decide(bpf.Load(0), bpf.Jump(bpf.JEQ, 1, 1, 0), bpf.Jump(bpf.JEQ, 2, 0, 1)),
			decide(bpf.Load(0), bpf.Jump(bpf.JEQ, 2, 1, 0), bpf.Jump(bpf.JEQ, 1, 0, 1)), Equal},
		{">= 5 and > 4", decide(bpf.Load(0), bpf.Jump(bpf.JGE, 5, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JGT, 4, 0, 1)), Equal},
		{">= 5 and > 5", decide(bpf.Load(0), bpf.Jump(bpf.JGE, 5, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JGT, 5, 0, 1)), Different},
		{"& 0xfffffff0 and > 15", decide(bpf.Load(0), bpf.Jump(bpf.JSET, 0xfffffff0, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JGT, 15, 0, 1)), Equal},
		{"words in either order", decide(bpf.Load(arg0), bpf.Jump(bpf.JEQ, 7, 0, 3), bpf.Load(arg0High), bpf.Jump(bpf.JEQ, 9, 0, 1)),
			decide(bpf.Load(arg0High), bpf.Jump(bpf.JEQ, 9, 0, 3), bpf.Load(arg0), bpf.Jump(bpf.JEQ, 7, 0, 1)), Equal},
		{"the other word", decide(bpf.Load(arg0), bpf.Jump(bpf.JEQ, 0, 0, 1)), decide(bpf.Load(arg0High), bpf.Jump(bpf.JEQ, 0, 0, 1)), Different},
		{"dead code", bpf.Program{bpf.JumpAlways(1), deny, allow}, bpf.Program{allow}, Equal},
		{"code behind a contradiction", bpf.Program{bpf.Load(0), bpf.Jump(bpf.JGT, 5, 0, 2), bpf.Jump(bpf.JEQ, 5, 0, 1), deny, allow}, bpf.Program{allow}, Equal},
		{"x32 numbers but -1", decide(bpf.Load(0), bpf.Jump(bpf.JGE, 0x40000000, 0, 1)),
			bpf.Program{bpf.Load(0), bpf.Jump(bpf.JGE, 0x40000000, 0, 2), bpf.Jump(bpf.JEQ, 0xffffffff, 1, 0), allow, deny}, Different},
		{"a single call in 2^192", bpf.Program{deny}, bpf.Program{
			bpf.Load(0), bpf.Jump(bpf.JEQ, 0xdeadbeef, 0, 11), bpf.Load(4), bpf.Jump(bpf.JEQ, 0xc000003e, 0, 9), bpf.Load(8), bpf.Jump(bpf.JEQ, 1, 0, 7),
			bpf.Load(12), bpf.Jump(bpf.JEQ, 2, 0, 5), bpf.Load(16), bpf.Jump(bpf.JEQ, 3, 0, 3), bpf.Load(60), bpf.Jump(bpf.JEQ, 4, 0, 1), allow, deny}, Different},

		{"X compared", decide(bpf.Load(0), tax, bpf.Instruction{Code: bpf.LD | bpf.IMM, K: 5}, jumpX(bpf.JGT, 0, 1)),
			decide(bpf.Load(0), bpf.Jump(bpf.JGE, 5, 1, 0)), Equal},
		{"two words compared", decide(bpf.Load(arg0), tax, bpf.Load(arg1), jumpX(bpf.JEQ, 0, 1)),
			decide(bpf.Load(arg0), tax, bpf.Load(arg1), aluX(bpf.XOR), bpf.Jump(bpf.JEQ, 0, 0, 1)), Equal},
		{"two words compared, otherwise", decide(bpf.Load(arg0), tax, bpf.Load(arg1), jumpX(bpf.JGE, 0, 1)),
			decide(bpf.Load(arg0), tax, bpf.Load(arg1), jumpX(bpf.JGT, 0, 1)), Different},
		{"scratch memory", bpf.Program{bpf.Load(arg1), {Code: bpf.ST, K: 15}, bpf.Load(0), {Code: bpf.LDX | bpf.MEM, K: 15}, txa, retA},
			bpf.Program{bpf.Load(arg1), retA}, Equal},
		{"scratch memory that depends on the path", bpf.Program{
			{Code: bpf.LD | bpf.IMM, K: 1}, {Code: bpf.ST}, bpf.Load(0), bpf.Jump(bpf.JEQ, 3, 0, 2), {Code: bpf.LD | bpf.IMM, K: 2}, {Code: bpf.ST},
			{Code: bpf.LD | bpf.MEM}, bpf.Jump(bpf.JEQ, 2, 0, 1), allow, deny},
			decide(bpf.Load(0), bpf.Jump(bpf.JEQ, 3, 0, 1)), Equal},
		{"length of the data", bpf.Program{{Code: bpf.LDX | bpf.W | bpf.LEN}, {Code: bpf.LD | bpf.W | bpf.LEN}, aluX(bpf.ADD), retA}, bpf.Program{bpf.Ret(128)}, Equal},

		{"a*8 and a<<3", bpf.Program{bpf.Load(0), alu(bpf.MUL, 8), retA}, bpf.Program{bpf.Load(0), alu(bpf.LSH, 3), retA}, Equal},
		{"a*3 and a+a+a", bpf.Program{bpf.Load(0), alu(bpf.MUL, 3), retA}, bpf.Program{bpf.Load(0), tax, aluX(bpf.ADD), aluX(bpf.ADD), retA}, Equal},
		{"a/8 and a>>3", bpf.Program{bpf.Load(0), alu(bpf.DIV, 8), retA}, bpf.Program{bpf.Load(0), alu(bpf.RSH, 3), retA}, Equal},
		{"a/8*8 and a&~7", bpf.Program{bpf.Load(0), alu(bpf.DIV, 8), alu(bpf.MUL, 8), retA}, bpf.Program{bpf.Load(0), bpf.Mask(^uint32(7)), retA}, Equal},
		{"a/10 > 4 and a >= 50", decide(bpf.Load(0), alu(bpf.DIV, 10), bpf.Jump(bpf.JGT, 4, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JGE, 50, 0, 1)), Equal},
		{"a/10 > 4 and a > 50", decide(bpf.Load(0), alu(bpf.DIV, 10), bpf.Jump(bpf.JGT, 4, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JGT, 50, 0, 1)), Different},
		{"the largest quotient", decide(bpf.Load(0), alu(bpf.DIV, 3), bpf.Jump(bpf.JGE, 0x55555555, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JEQ, ^uint32(0), 0, 1)), Equal},
		{"no such quotient", decide(bpf.Load(0), alu(bpf.DIV, 3), bpf.Jump(bpf.JGT, 0x55555555, 0, 1)), bpf.Program{deny}, Equal},
		{"quotient of numbers", decide(bpf.Instruction{Code: bpf.LD | bpf.IMM, K: 100}, alu(bpf.DIV, 7), tax, bpf.Load(0), jumpX(bpf.JEQ, 0, 1)),
			decide(bpf.Load(0), bpf.Jump(bpf.JEQ, 14, 0, 1)), Equal},
		{"quotient of numbers, divided", decide(bpf.Instruction{Code: bpf.LD | bpf.IMM, K: 100}, alu(bpf.DIV, 7), tax, bpf.Load(0), alu(bpf.DIV, 2), jumpX(bpf.JEQ, 0, 1)),
			decide(bpf.Load(0), bpf.Mask(^uint32(1)), bpf.Jump(bpf.JEQ, 28, 0, 1)), Equal},
		{"-a and 0-a", bpf.Program{bpf.Load(0), {Code: bpf.ALU | bpf.NEG}, retA}, bpf.Program{bpf.Load(0), tax, {Code: bpf.LD | bpf.IMM}, aluX(bpf.SUB), retA}, Equal},
		{"a+x-x", bpf.Program{bpf.Load(4), tax, bpf.Load(0), aluX(bpf.ADD), aluX(bpf.SUB), retA}, bpf.Program{bpf.Load(0), retA}, Equal},
		{"a^x^x", bpf.Program{bpf.Load(4), tax, bpf.Load(0), aluX(bpf.XOR), aluX(bpf.XOR), retA}, bpf.Program{bpf.Load(0), retA}, Equal},
		{"a|x and a+x", bpf.Program{bpf.Load(4), tax, bpf.Load(0), aluX(bpf.OR), retA}, bpf.Program{bpf.Load(4), tax, bpf.Load(0), aluX(bpf.ADD), retA}, Different},
		{"wrapped sum", decide(bpf.Load(0), alu(bpf.ADD, 1), bpf.Jump(bpf.JEQ, 0, 0, 1)), decide(bpf.Load(0), bpf.Jump(bpf.JEQ, ^uint32(0), 0, 1)), Equal},
		{"shift by X is modulo 32", bpf.Program{bpf.Load(0), {Code: bpf.LDX | bpf.IMM, K: 37}, aluX(bpf.LSH), retA}, bpf.Program{bpf.Load(0), alu(bpf.LSH, 5), retA}, Equal},
		{"1<<x&x", decide(bpf.Load(0), bpf.Mask(31), tax, bpf.Instruction{Code: bpf.LD | bpf.IMM, K: 1}, aluX(bpf.LSH), bpf.Jump(bpf.JSET, 0x10, 0, 1)),
			decide(bpf.Load(0), bpf.Mask(31), bpf.Jump(bpf.JEQ, 4, 0, 1)), Equal},
		{"division by a zero X", bpf.Program{bpf.Load(0), bpf.Mask(0xff), tax, aluX(bpf.DIV), retA},
			bpf.Program{bpf.Load(0), bpf.Mask(0xff), bpf.Jump(bpf.JEQ, 0, 0, 1), bpf.Ret(0), bpf.Ret(1)}, Equal},
		{"division by X that is never zero", bpf.Program{bpf.Load(0), bpf.Jump(bpf.JEQ, 0, 2, 0), tax, aluX(bpf.DIV), allow},
			bpf.Program{allow}, Equal},
		{"division by X that may be zero", bpf.Program{bpf.Load(0), tax, aluX(bpf.DIV), allow}, bpf.Program{allow}, Different},

		{"the number itself", bpf.Program{bpf.Load(0), retA}, bpf.Program{bpf.Load(0), tax, txa, retA}, Equal},
		{"the number, but for one", bpf.Program{bpf.Load(0), retA}, bpf.Program{bpf.Load(0), bpf.Jump(bpf.JEQ, 77, 0, 1), bpf.Ret(78), retA}, Different},
		{"the number, that one said again", bpf.Program{bpf.Load(0), retA}, bpf.Program{bpf.Load(0), bpf.Jump(bpf.JEQ, 77, 0, 1), bpf.Ret(77), retA}, Equal},
		{"number and architecture", bpf.Program{bpf.Load(0), retA}, bpf.Program{bpf.Load(4), retA}, Different},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, pair := range [][2]bpf.Program{{tt.a, tt.b}, {tt.b, tt.a}} {
				r, err := Programs(pair[0], pair[1], bpf.Little)
				if err != nil {
					t.Fatal(err)
				}
				if r.Outcome != tt.want {
					t.Errorf("got %v", r)
				}
				checkWitness(t, r, programSide{pair[0], bpf.Little}, programSide{pair[1], bpf.Little})
			}
		})
	}
}

// checkWitness asks that a result has a witness exactly where it says
// "different", and that the witness is one.
func checkWitness(t testing.TB, r Result, first, second side) {
	t.Helper()
	if (r.Witness != nil) != (r.Outcome == Different) {
		t.Fatalf("%v with witness %v", r.Outcome, r.Witness)
	}
	if r.Witness == nil {
		return
	}
	a, errA := first.verdict(&r.Witness.Call)
	b, errB := second.verdict(&r.Witness.Call)
	if errA != nil || errB != nil || a != r.Witness.First || b != r.Witness.Second || a.Return == b.Return {
		t.Fatalf("%v is no witness: %v, %v", r.Witness, a, b)
	}
}

// The same two programs are different on one machine and equal on the other.
func TestByteOrder(t *testing.T) {
	low := bpf.Program{bpf.Load(bpf.OffArgs + 8), retA}
	p := &spec.Policy{Tokens: []spec.Token{{Audit: x86_64, Ranges: []spec.Range{{Last: ^uint32(0), Verdict: spec.Verdict{
		Rules:   []spec.Rule{{Return: bpf.RetAllow, Conditions: []spec.Condition{{Arg: 1, Op: spec.EQ, Mask: 0xffffffff, Value: 9}}}},
		Default: bpf.RetLog,
	}}}}}, Other: bpf.RetKillThread}
	prog := func(e bpf.Endian) bpf.Program {
		return bpf.Program{
			bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, x86_64, 0, 4),
			bpf.Load(e.Low(bpf.OffArgs + 8)), bpf.Jump(bpf.JEQ, 9, 0, 1), bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetLog), bpf.Ret(bpf.RetKillThread),
		}
	}
	for _, machine := range []bpf.Endian{bpf.Little, bpf.Big} {
		p.Endian = machine
		for _, made := range []bpf.Endian{bpf.Little, bpf.Big} {
			r, err := Policy(p, prog(made))
			if err != nil {
				t.Fatal(err)
			}
			if (r.Outcome == Equal) != (machine == made) {
				t.Errorf("program for byte order %d on %d: %v", made, machine, r)
			}
			checkWitness(t, r, policySide{p}, programSide{prog(made), machine})
		}
	}
	// Nor does a witness confuse the words.
	r, err := Programs(low, bpf.Program{bpf.Load(bpf.OffArgs + 8), alu(bpf.OR, 4), retA}, bpf.Big)
	if err != nil || r.Outcome != Different || r.Witness.Second.Return != 4 {
		t.Errorf("got %v (%v)", r, err)
	}
}

// Two policies are compared as functions: neither the byte order of the
// machine nor the way to say it matters.
func TestPolicies(t *testing.T) {
	const last = ^uint32(0)
	allow, deny := spec.Verdict{Default: bpf.RetAllow}, spec.Verdict{Default: bpf.Errno(1)}
	policy := func(other bpf.Return, audit uint32, ranges ...spec.Range) *spec.Policy {
		return &spec.Policy{Other: other, Tokens: []spec.Token{{Audit: audit, Ranges: ranges}}}
	}
	all := func(v spec.Verdict) spec.Range { return spec.Range{Last: last, Verdict: v} }
	rules := func(v bpf.Return, rules ...spec.Rule) spec.Range {
		return all(spec.Verdict{Rules: rules, Default: v})
	}
	when := func(r bpf.Return, c ...spec.Condition) spec.Rule {
		return spec.Rule{Conditions: c, Return: r, Origin: 3}
	}
	full := ^uint64(0)
	big := policy(bpf.RetKillThread, x86_64, all(allow))
	big.Endian = bpf.Big
	tests := []struct {
		name string
		a, b *spec.Policy
		want Outcome
	}{
		{"byte order", policy(bpf.RetKillThread, x86_64, all(allow)), big, Equal},
		{"range in two", policy(0, x86_64, all(allow)), policy(0, x86_64, spec.Range{Last: 9, Verdict: allow}, spec.Range{First: 10, Last: last, Verdict: allow}), Equal},
		{"range in two, a border moved", policy(0, x86_64, spec.Range{Last: 9, Verdict: allow}, spec.Range{First: 10, Last: last, Verdict: deny}),
			policy(0, x86_64, spec.Range{Last: 10, Verdict: allow}, spec.Range{First: 11, Last: last, Verdict: deny}), Different},
		{"architecture that gets what others get", policy(bpf.RetAllow, x86_64, all(allow)), &spec.Policy{Other: bpf.RetAllow}, Equal},
		{"architecture", policy(0, x86_64, all(allow)), policy(0, i386, all(allow)), Different},
		{"other architectures", policy(0, x86_64, all(allow)), policy(1, x86_64, all(allow)), Different},
		{"rule that says the default", policy(0, x86_64, rules(bpf.RetAllow, when(bpf.RetAllow, spec.Condition{Op: spec.EQ, Mask: full}))), policy(0, x86_64, all(allow)), Equal},
		{"rule behind one that always applies", policy(0, x86_64, rules(bpf.RetLog, when(bpf.RetAllow), when(bpf.RetTrap))), policy(0, x86_64, all(allow)), Equal},
		{"rules that leave no call", policy(0, x86_64, rules(bpf.RetLog, when(bpf.RetAllow, spec.Condition{Op: spec.GT, Mask: full, Value: 9}),
			when(bpf.RetAllow, spec.Condition{Op: spec.LE, Mask: full, Value: 9}))), policy(0, x86_64, all(allow)), Equal},
		{"the AF_ALG trap: two NE conditions as two rules", policy(0, x86_64, rules(bpf.Errno(1), when(bpf.RetAllow, spec.Condition{Op: spec.NE, Mask: full, Value: 38}),
			when(bpf.RetAllow, spec.Condition{Op: spec.NE, Mask: full, Value: 40}))), policy(0, x86_64, all(allow)), Equal},
		{"two NE conditions in one rule", policy(0, x86_64, rules(bpf.Errno(1), when(bpf.RetAllow, spec.Condition{Op: spec.NE, Mask: full, Value: 38},
			spec.Condition{Op: spec.NE, Mask: full, Value: 40}))), policy(0, x86_64, all(allow)), Different},
		{"order of rules that overlap", policy(0, x86_64, rules(0, when(1, spec.Condition{Op: spec.GE, Mask: full, Value: 5}), when(2, spec.Condition{Arg: 1, Op: spec.EQ, Mask: full}))),
			policy(0, x86_64, rules(0, when(2, spec.Condition{Arg: 1, Op: spec.EQ, Mask: full}), when(1, spec.Condition{Op: spec.GE, Mask: full, Value: 5}))), Different},
		{"order of rules that do not", policy(0, x86_64, rules(0, when(1, spec.Condition{Op: spec.GE, Mask: full, Value: 5}), when(2, spec.Condition{Op: spec.LT, Mask: full, Value: 5}))),
			policy(0, x86_64, rules(0, when(2, spec.Condition{Op: spec.LT, Mask: full, Value: 5}), when(1, spec.Condition{Op: spec.GE, Mask: full, Value: 5}))), Equal},
		{"32 bits compared, or 64", policy(0, x86_64, rules(0, when(1, spec.Condition{Op: spec.EQ, Mask: 0xffffffff, Value: 5}))),
			policy(0, x86_64, rules(0, when(1, spec.Condition{Op: spec.EQ, Mask: full, Value: 5}))), Different},
		{"value outside the mask", policy(0, x86_64, rules(0, when(1, spec.Condition{Op: spec.EQ, Mask: 0xff, Value: 0x100}))), policy(0, x86_64, rules(0)), Equal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Policies(tt.a, tt.b)
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != tt.want {
				t.Errorf("got %v", r)
			}
			checkWitness(t, r, policySide{tt.a}, policySide{tt.b})
		})
	}
}

// The witness is one that people can read: an architecture that the sides
// know, no bit set without need, and the rule that decided.
func TestWitnessReads(t *testing.T) {
	last := ^uint32(0)
	p := &spec.Policy{Other: bpf.RetKillThread, Tokens: []spec.Token{{Audit: x86_64, Ranges: []spec.Range{
		{First: 0, Last: 40, Verdict: spec.Verdict{Default: bpf.RetAllow}},
		{First: 41, Last: 41, Verdict: spec.Verdict{Default: bpf.Errno(1), Rules: []spec.Rule{
			{Return: bpf.RetAllow, Origin: 17, Conditions: []spec.Condition{{Arg: 0, Op: spec.GT, Mask: ^uint64(0), Value: 40}}}}}},
		{First: 42, Last: last, Verdict: spec.Verdict{Default: bpf.RetAllow}},
	}}}}
	prog := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, x86_64, 0, 5),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 41, 0, 2),
		bpf.Load(bpf.OffArgs), bpf.Jump(bpf.JGT, 40, 0, 2),
		bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetKillThread), bpf.Ret(bpf.Errno(1)),
	}
	r, err := Policy(p, prog)
	if err != nil {
		t.Fatal(err)
	}
	// The program forgets the high word of the argument.
	const want = "different: nr=41 arch=0xc000003e args=[0x100000000 0x0 0x0 0x0 0x0 0x0]: first ALLOW (rule 17), second ERRNO(1)"
	if r.String() != want {
		t.Errorf("got  %v\nwant %v", r, want)
	}
	// A rule of another architecture has no part in it.
	other := &spec.Policy{Other: bpf.RetLog, Tokens: append([]spec.Token{{Audit: i386, Ranges: p.Tokens[0].Ranges}}, p.Tokens...)}
	r, err = Policies(&spec.Policy{Other: bpf.RetTrap}, &spec.Policy{Other: bpf.RetTrap, Tokens: other.Tokens[:1]})
	if err != nil || r.Witness.Second.Rule != nil || r.Witness.Call.Arch != i386 {
		t.Errorf("got %v (%v)", r, err)
	}
	if v, err := (policySide{other}).verdict(&bpf.Data{Nr: 41, Arch: aarch64, Args: [6]uint64{50}}); err != nil || v != (Verdict{Return: bpf.RetLog}) {
		t.Errorf("no architecture of the policy: got %v (%v)", v, err)
	}
	// Both sides differ for every call; the programs say which one to show.
	r, err = Programs(prog, bpf.Program{bpf.Ret(bpf.RetLog)}, bpf.Little)
	if err != nil || r.Witness.Call != (bpf.Data{Arch: x86_64}) {
		t.Errorf("got %v (%v)", r, err)
	}
}

func TestStrings(t *testing.T) {
	for o, want := range map[Outcome]string{Equal: "equal", Different: "different", Undecided: "undecided", 9: "undecided"} {
		if got := o.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (Result{Outcome: Equal}).String(); got != "equal" {
		t.Errorf("got %q", got)
	}
	w := Witness{Call: bpf.Data{Nr: 5, Arch: i386, IP: 0xff}, First: Verdict{Return: bpf.RetLog}, Second: Verdict{Return: bpf.RetTrap}}
	if got, want := w.String(), "nr=5 arch=0x40000003 ip=0xff args=[0x0 0x0 0x0 0x0 0x0 0x0]: first LOG, second TRAP"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInvalidSides(t *testing.T) {
	good, bad := bpf.Program{bpf.Ret(0)}, bpf.Program{bpf.Load(3), bpf.Ret(0)}
	_, err := Programs(good, bad, bpf.Little)
	var instruction *bpf.InstructionError
	if !errors.As(err, &instruction) || !strings.HasPrefix(err.Error(), "verify: second side: program: ") {
		t.Errorf("got %v", err)
	}
	_, err = Policy(&spec.Policy{Tokens: []spec.Token{{Audit: 1}}}, good)
	if err == nil || !strings.HasPrefix(err.Error(), "verify: first side: policy: architecture 0x1: ") {
		t.Errorf("got %v", err)
	}
	if _, err = Programs(good, good, 2); err == nil {
		t.Error("an unknown byte order was accepted")
	}
}

// What is too hard is undecided, and takes no more than the budget says.
func TestBudget(t *testing.T) {
	load := []bpf.Instruction{bpf.Load(bpf.OffArgs), tax, bpf.Load(bpf.OffArgs + 8)}
	product := bpf.Program(append(slices.Clone(load), aluX(bpf.MUL), retA))
	swapped := bpf.Program{bpf.Load(bpf.OffArgs + 8), tax, bpf.Load(bpf.OffArgs), aluX(bpf.MUL), retA}
	r, err := Budget{Nodes: 1 << 16, Steps: 1 << 18}.Programs(product, swapped, bpf.Little)
	if err != nil || r.Outcome != Undecided {
		t.Errorf("the product of two words: got %v (%v)", r, err)
	}
	if r.Effort.Nodes > 1<<16 || r.Effort.Steps > 3<<18 {
		t.Errorf("took %+v", r.Effort)
	}
	// The default bounds the memory: here it is nodes that run out.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err = Budget{Steps: math.MaxInt}.Programs(product, swapped, bpf.Little)
	runtime.ReadMemStats(&after)
	if err != nil || r.Outcome != Undecided || r.Effort.Nodes < DefaultBudget.Nodes {
		t.Errorf("the product of two words: got %v, %+v (%v)", r, r.Effort, err)
	}
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 200 {
		t.Errorf("the default budget took %d MiB", grown)
	}
}

// Whatever the budget, an answer is the right one.
func TestBudgetDoesNotChangeAnswers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	seen := map[Outcome]int{}
	for range 40 {
		a := bpftest.Random(random, bpftest.Compiled, 40)
		b := mutate(random, a)
		want, err := Programs(a, b, bpf.Little)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < 1<<16; n = n*3/2 + 1 {
			for _, budget := range []Budget{{Nodes: n}, {Steps: n}} {
				r, err := budget.Programs(a, b, bpf.Little)
				if err != nil {
					t.Fatal(err)
				}
				if r.Outcome != Undecided && r.Outcome != want.Outcome {
					t.Fatalf("budget %+v: %v, without: %v", budget, r, want)
				}
				seen[r.Outcome]++
			}
		}
	}
	for _, o := range []Outcome{Equal, Different, Undecided} {
		if seen[o] == 0 {
			t.Errorf("no budget led to %v", o)
		}
	}
}

// A proof gives the same result and effort every time.
func TestDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		p, _ := randomPolicy(r)
		q := mutatePolicy(r, p)
		first, err := Policies(p, q)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			again, err := Policies(p, q)
			if err != nil || fmt.Sprint(again, again.Effort) != fmt.Sprint(first, first.Effort) {
				t.Fatalf("first %v %v, then %v %v (%v)", first, first.Effort, again, again.Effort, err)
			}
		}
	}
}

// Proofs at the same time do not meet, although they share memory in turn.
func TestConcurrentProofs(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 20 {
				p, _ := randomPolicy(r)
				prog := translate(p)
				if got, err := Policy(p, prog); err != nil || got.Outcome != Equal {
					t.Errorf("got %v (%v)", got, err)
				}
			}
		})
	}
}
