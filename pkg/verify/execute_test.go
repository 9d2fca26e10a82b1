package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

// returned says what outcomes hold for one call, and that they hold one thing.
func (o *outcomes) returned(t testing.TB, in *order, call *bpf.Data) bpf.Return {
	t.Helper()
	found := -1
	for i := range o.parts {
		if !o.forest.contains(in, o.parts[i].calls, call) {
			continue
		}
		if found >= 0 {
			t.Fatalf("call %+v returns twice", *call)
		}
		found = i
	}
	if found < 0 {
		t.Fatalf("call %+v does not return", *call)
	}
	return bpf.Return(o.forest.number(in, &o.parts[found].value, call))
}

// Symbolic execution and the interpreter, which have no code in common, agree
// on calls around every constant, for programs of all kinds, both byte orders
// and both orders of the bits.
func TestExecuteIsTheInterpreter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	decided := map[bpftest.Style]int{}
	const programs = 400
	for _, style := range []bpftest.Style{bpftest.Compiled, bpftest.Full} {
		for i := range programs {
			p := bpftest.Random(r, style, 1+r.IntN(60))
			e, o := bpf.Endian(i%2), []*order{wordwise, bitwise}[i/2%2]
			d := newForest(Budget{Nodes: 1 << 17, Steps: 1 << 18})
			result := d.execute(p, o, e)
			if !d.exhausted {
				decided[style]++
				checkForest(t, d)
				numbers := bpftest.Constants(p)
				for range 100 {
					call := bpftest.Call(r, numbers)
					w := call.Words(e)
					want, err := p.Run(&w)
					if err != nil {
						t.Fatal(err)
					}
					if got := result.returned(t, o, &call); got != want {
						t.Fatalf("call %+v: got %v, the interpreter returns %v\n%v", call, got, want, p)
					}
				}
			}
			d.release()
		}
	}
	t.Logf("decided %v of %d each", decided, programs)
	if decided[bpftest.Compiled] < programs*98/100 || decided[bpftest.Full] < programs*9/10 {
		t.Errorf("decided %v programs out of %d: too few to show much", decided, programs)
	}
}

func TestLiveness(t *testing.T) {
	const m3 = 1 << (firstM + 3)
	ret := bpf.Ret(0)
	tests := []struct {
		name string
		prog bpf.Program
		want []registers
	}{
		{"RET K reads nothing", bpf.Program{ret}, []registers{0}},
		{"RET A reads A", bpf.Program{{Code: bpf.RET | bpf.A}}, []registers{liveA}},
		{"a load ends what was before", bpf.Program{bpf.Load(0), {Code: bpf.RET | bpf.A}}, []registers{0, liveA}},
		{"LDX", bpf.Program{{Code: bpf.LDX | bpf.IMM}, {Code: bpf.MISC | bpf.TXA}, {Code: bpf.RET | bpf.A}}, []registers{0, liveX, liveA}},
		{"ALU on X", bpf.Program{{Code: bpf.ALU | bpf.ADD | bpf.X}, {Code: bpf.RET | bpf.A}}, []registers{liveA | liveX, liveA}},
		{"ALU on K", bpf.Program{{Code: bpf.ALU | bpf.ADD | bpf.K}, {Code: bpf.RET | bpf.A}}, []registers{liveA, liveA}},
		{"scratch memory", bpf.Program{{Code: bpf.ST, K: 3}, {Code: bpf.LDX | bpf.MEM, K: 3}, {Code: bpf.STX, K: 3}, {Code: bpf.LD | bpf.MEM, K: 3}, {Code: bpf.RET | bpf.A}},
			[]registers{liveA, m3, liveX, m3, liveA}},
		{"both ways of a branch", bpf.Program{bpf.Jump(bpf.JEQ, 1, 0, 1), {Code: bpf.RET | bpf.A}, {Code: bpf.MISC | bpf.TXA}, {Code: bpf.RET | bpf.A}},
			[]registers{liveA | liveX, liveA, liveX, liveA}},
		{"branch on X", bpf.Program{{Code: bpf.JMP | bpf.JEQ | bpf.X}, ret}, []registers{liveA | liveX, 0}},
		{"JA skips a reader", bpf.Program{bpf.JumpAlways(1), {Code: bpf.RET | bpf.A}, ret}, []registers{0, liveA, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.prog.Validate(); err != nil {
				t.Fatal(err)
			}
			live := liveness(tt.prog)
			for i := range live {
				if live[i] != tt.want[i] {
					t.Errorf("instruction %d: got %#x, want %#x", i, live[i], tt.want[i])
				}
			}
		})
	}
}

// A program with 2^60 paths, each of which leaves another value in A, takes no
// more than one with 60 instructions in a row.
func TestPathsDoNotMultiply(t *testing.T) {
	p := bpf.Program{bpf.Load(bpf.OffNr), {Code: bpf.MISC | bpf.TAX}, {Code: bpf.LD | bpf.IMM}, {Code: bpf.ST}}
	for bit := range uint32(30) {
		p = append(p,
			bpf.Instruction{Code: bpf.MISC | bpf.TXA}, bpf.Jump(bpf.JSET, 1<<bit, 0, 3),
			bpf.Instruction{Code: bpf.LD | bpf.MEM}, bpf.Instruction{Code: bpf.ALU | bpf.OR | bpf.K, K: 1 << (29 - bit)}, bpf.Instruction{Code: bpf.ST})
	}
	p = append(p, bpf.Instruction{Code: bpf.LD | bpf.MEM}, bpf.Instruction{Code: bpf.RET | bpf.A})
	d := newTestForest(t)
	result := d.execute(p, wordwise, bpf.Little)
	if d.steps > 100_000 {
		t.Errorf("%d steps", d.steps)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		call := bpf.Data{Nr: r.Uint32()}
		w := call.Words(bpf.Little)
		want, _ := p.Run(&w)
		if got := result.returned(t, wordwise, &call); got != want {
			t.Fatalf("nr %#x: got %#x, want %#x", call.Nr, uint32(got), uint32(want))
		}
	}
}
