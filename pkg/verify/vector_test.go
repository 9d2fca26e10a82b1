package verify

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

// arithmetic has every operation on vectors, with what the interpreter makes
// of the same numbers.
var arithmetic = []struct {
	name   string
	code   uint16
	vector func(d *forest, a, b *vector) vector
}{
	{"add", bpf.ADD, func(d *forest, a, b *vector) vector { return d.add(a, b, none) }},
	{"sub", bpf.SUB, (*forest).sub},
	{"mul", bpf.MUL, (*forest).mul},
	{"div", bpf.DIV, (*forest).div},
	{"and", bpf.AND, func(d *forest, a, b *vector) vector { return d.bitwise(bpf.AND, a, b) }},
	{"or", bpf.OR, func(d *forest, a, b *vector) vector { return d.bitwise(bpf.OR, a, b) }},
	{"xor", bpf.XOR, func(d *forest, a, b *vector) vector { return d.bitwise(bpf.XOR, a, b) }},
	{"left shift", bpf.LSH, func(d *forest, a, b *vector) vector { return d.shift(bpf.LSH, a, b) }},
	{"right shift", bpf.RSH, func(d *forest, a, b *vector) vector { return d.shift(bpf.RSH, a, b) }},
}

// operand is a value for a test: a number, or four bits of a word moved and
// spread so that every place of a 32-bit number gets its turn.
type operand struct {
	name   string
	vector func(d *forest) vector
	number func(call *bpf.Data) uint32
}

func operands(r *rand.Rand) []operand {
	var list []operand
	for _, k := range []uint32{0, 1, 2, 3, 5, 8, 31, 32, 33, 1000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, r.Uint32(), r.Uint32()} {
		list = append(list, operand{fmt.Sprintf("%#x", k),
			func(*forest) vector { return constant(k) },
			func(*bpf.Data) uint32 { return k }})
	}
	for i := range 6 {
		w, fixed := i%2, r.Uint32()
		places := r.Perm(32)[:4]
		list = append(list, operand{fmt.Sprintf("%#x with bits %v of word %d", fixed, places, w),
			func(d *forest) vector {
				v := constant(fixed)
				for bit, place := range places {
					v[place] = d.node(wordwise.level[w][bit], none, all)
				}
				return v
			},
			func(call *bpf.Data) uint32 {
				words := call.Words(bpf.Little)
				k := fixed
				for bit, place := range places {
					k = k&^(1<<place) | words[w]>>bit&1<<place
				}
				return k
			}})
	}
	return list
}

// Every operation on every pair of operands, for all values of the eight bits
// that they depend on, against the interpreter of pkg/bpf.
func TestArithmeticIsTheInterpreters(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, op := range arithmetic {
		t.Run(op.name, func(t *testing.T) {
			d := newTestForest(t)
			for _, a := range operands(r) {
				for _, b := range operands(r) {
					va, vb := a.vector(d), b.vector(d)
					result := op.vector(d, &va, &vb)
					for bits := range uint32(1 << 8) {
						call := bpf.Data{Nr: bits & 15, Arch: bits >> 4}
						ka, kb := a.number(&call), b.number(&call)
						if op.code == bpf.DIV && kb == 0 {
							continue // the program ends there
						}
						p := bpf.Program{
							{Code: bpf.LD | bpf.IMM, K: ka}, {Code: bpf.LDX | bpf.IMM, K: kb},
							{Code: bpf.ALU | op.code | bpf.X}, {Code: bpf.RET | bpf.A},
						}
						want, err := p.Run(&bpf.Words{})
						if err != nil {
							t.Fatal(err)
						}
						if got := d.number(wordwise, &result, &call); got != uint32(want) {
							t.Fatalf("%s %s %s: %#x, %#x gives %#x, want %#x", a.name, op.name, b.name, ka, kb, got, uint32(want))
						}
					}
				}
			}
		})
	}
}

// Comparisons of whole words, in both orders, against Go's.
func TestCompare(t *testing.T) {
	holds := map[uint16]func(a, b uint32) bool{
		bpf.JEQ:  func(a, b uint32) bool { return a == b },
		bpf.JGT:  func(a, b uint32) bool { return a > b },
		bpf.JGE:  func(a, b uint32) bool { return a >= b },
		bpf.JSET: func(a, b uint32) bool { return a&b != 0 },
	}
	numbers := bpftest.Constants()
	r := rand.New(rand.NewPCG(1, 1))
	d := newTestForest(t)
	for op, holds := range holds {
		for _, k := range numbers {
			for _, o := range []*order{wordwise, bitwise} {
				nr, v := d.word(o, 0), constant(k)
				with, reversed := d.compare(op, nr[:], v[:]), d.compare(op, v[:], nr[:])
				for range 50 {
					call := bpftest.Call(r, numbers)
					if d.contains(o, with, &call) != holds(call.Nr, k) || d.contains(o, reversed, &call) != holds(k, call.Nr) {
						t.Fatalf("operation %#x of %#x and %#x is wrong", op, call.Nr, k)
					}
				}
			}
		}
		// Two words that depend on the call: small in the bitwise order only.
		nr, arch := d.word(bitwise, 0), d.word(bitwise, 1)
		both := d.compare(op, nr[:], arch[:])
		for range 2000 {
			call := bpftest.Call(r, numbers)
			if d.contains(bitwise, both, &call) != holds(call.Nr, call.Arch) {
				t.Fatalf("operation %#x of %#x and %#x is wrong", op, call.Nr, call.Arch)
			}
		}
	}
}
