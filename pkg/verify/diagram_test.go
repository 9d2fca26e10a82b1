package verify

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

// contains says whether a call is in a set, by walking down its diagram.
func (d *forest) contains(o *order, r ref, call *bpf.Data) bool {
	w := call.Words(bpf.Little)
	for r > all {
		n := d.nodes[r]
		at := o.bit[n.level]
		if w[at.word]>>at.bit&1 != 0 {
			r = n.high
		} else {
			r = n.low
		}
	}
	return r == all
}

// number returns what a vector is for one call.
func (d *forest) number(o *order, v *vector, call *bpf.Data) uint32 {
	var k uint32
	for i := range v {
		if d.contains(o, v[i], call) {
			k |= 1 << i
		}
	}
	return k
}

// newForest returns an empty forest.
func newForest(budget Budget) *forest {
	d := forests.Get().(*forest)
	d.reset(budget)
	return d
}

// newTestForest returns a forest with the default budget.
func newTestForest(t testing.TB) *forest {
	d := newForest(DefaultBudget)
	t.Cleanup(func() {
		if d.exhausted {
			t.Error("the budget ran out, so the test shows nothing")
		}
		checkForest(t, d)
		d.release()
	})
	return d
}

// checkForest asks for what makes a ref canonical: no node tests a bit that
// does not matter, bits are in order, no two nodes are alike.
func checkForest(t testing.TB, d *forest) {
	t.Helper()
	seen := make(map[node]bool)
	for r, n := range d.nodes[2:] {
		if n.low == n.high {
			t.Fatalf("node %d tests a bit in vain: %v", r+2, n)
		}
		if n.level >= d.nodes[n.low].level || n.level >= d.nodes[n.high].level {
			t.Fatalf("node %d is not above its children: %v", r+2, n)
		}
		if seen[n] {
			t.Fatalf("node %d is there twice: %v", r+2, n)
		}
		seen[n] = true
	}
}

// Random sets over nine bits, each with the table of what it stands for,
// combined at random: diagram and table agree on all 512 values of these bits.
func TestChooseIsIfThenElse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := newTestForest(t)
	type set struct {
		ref   ref
		table [512]bool
	}
	call := func(i int) bpf.Data {
		return bpf.Data{Nr: uint32(i & 7), Arch: uint32(i >> 3 & 7), Args: [6]uint64{2: uint64(i >> 6)}}
	}
	sets := []set{{ref: none}, {ref: all}}
	for i := range sets[1].table {
		sets[1].table[i] = true
	}
	for bit := range 9 {
		s := set{ref: d.node(wordwise.level[[]int{0, 1, 8}[bit/3]][bit%3], none, all)}
		for i := range s.table {
			s.table[i] = i>>bit&1 != 0
		}
		sets = append(sets, s)
	}
	for range 2000 {
		f, g, h := sets[r.IntN(len(sets))], sets[r.IntN(len(sets))], sets[r.IntN(len(sets))]
		s := set{ref: d.choose(f.ref, g.ref, h.ref)}
		for i := range s.table {
			s.table[i] = f.table[i] && g.table[i] || !f.table[i] && h.table[i]
			if c := call(i); d.contains(wordwise, s.ref, &c) != s.table[i] {
				t.Fatalf("choose(%d, %d, %d) is wrong for %+v", f.ref, g.ref, h.ref, c)
			}
		}
		for _, other := range sets {
			if (other.ref == s.ref) != (other.table == s.table) {
				t.Fatalf("refs %d and %d for sets that are equal: %v", other.ref, s.ref, other.table == s.table)
			}
		}
		if sets = append(sets, s); len(sets) > 80 {
			sets = append(sets[:11], sets[50:]...)
		}
	}
}

// Sets that are equal have one ref however they were made.
func TestEqualSetsHaveOneRef(t *testing.T) {
	d := newTestForest(t)
	nr := d.word(wordwise, 0)
	at := func(op uint16, k uint32) ref {
		v := constant(k)
		return d.compare(op, nr[:], v[:])
	}
	tests := []struct {
		name string
		a, b ref
	}{
		{"a >= 5 and a > 4", at(bpf.JGE, 5), at(bpf.JGT, 4)},
		{"a == 5, and a >= 5 without a > 5", at(bpf.JEQ, 5), d.without(at(bpf.JGE, 5), at(bpf.JGT, 5))},
		{"a > 0xffffffff and nothing", at(bpf.JGT, 0xffffffff), none},
		{"a >= 0 and all", at(bpf.JGE, 0), all},
		{"a & 0 and nothing", at(bpf.JSET, 0), none},
		{"a & 0xffffffff and a > 0", at(bpf.JSET, 0xffffffff), at(bpf.JGT, 0)},
		{"not (x or y) and not x without y", d.without(all, d.or(at(bpf.JEQ, 7), at(bpf.JGT, 9))),
			d.without(d.without(all, at(bpf.JEQ, 7)), at(bpf.JGT, 9))},
		{"x xor y and (x or y) without both", d.xor(at(bpf.JGT, 7), at(bpf.JSET, 1)),
			d.without(d.or(at(bpf.JGT, 7), at(bpf.JSET, 1)), d.and(at(bpf.JSET, 1), at(bpf.JGT, 7)))},
	}
	for _, tt := range tests {
		if tt.a != tt.b {
			t.Errorf("%s: %d and %d", tt.name, tt.a, tt.b)
		}
	}
}

func TestForestGrows(t *testing.T) {
	d := newTestForest(t)
	r := rand.New(rand.NewPCG(2, 2))
	nr := d.word(wordwise, 0)
	numbers, s := map[uint32]bool{}, none
	for range 5000 {
		k := r.Uint32()
		numbers[k] = true
		v := constant(k)
		s = d.or(s, d.compare(bpf.JEQ, nr[:], v[:]))
	}
	if len(d.nodes) < 4*firstNodes {
		t.Fatalf("%d nodes are not enough to test growth", len(d.nodes))
	}
	for k := range numbers {
		if !d.contains(wordwise, s, &bpf.Data{Nr: k}) || d.contains(wordwise, s, &bpf.Data{Nr: k ^ 1}) != numbers[k^1] {
			t.Fatalf("number %#x is lost or has company", k)
		}
	}
}

func TestMember(t *testing.T) {
	d := newTestForest(t)
	for name, s := range map[string]struct {
		op   uint16
		k    uint32
		want uint32
	}{
		"equal":         {bpf.JEQ, 41, 41},
		"greater":       {bpf.JGT, 0x4000, 0x4001},
		"masked":        {bpf.JSET, 0x30, 0x10},
		"at the border": {bpf.JGE, 0xffffffff, 0xffffffff},
	} {
		arch, k := d.word(wordwise, 1), constant(s.k)
		var w [words]uint32
		d.member(d.compare(s.op, arch[:], k[:]), func(level uint32) {
			w[wordwise.bit[level].word] |= 1 << wordwise.bit[level].bit
		})
		if call := callOf(&w); call != (bpf.Data{Arch: s.want}) {
			t.Errorf("%s: got %+v, want arch %#x", name, call, s.want)
		}
	}
}

// The two orders have every bit of every word exactly once.
func TestOrdersAreComplete(t *testing.T) {
	for name, o := range map[string]*order{"wordwise": wordwise, "bitwise": bitwise} {
		seen := map[uint32]bool{}
		for w := range o.level {
			for bit, level := range o.level[w] {
				at := o.bit[level]
				if seen[level] || level >= bottom || int(at.word) != w || int(at.bit) != bit {
					t.Fatalf("%s: word %d, bit %d has level %d, which has %+v", name, w, bit, level, at)
				}
				seen[level] = true
			}
		}
	}
}

// A call's words and back, whatever the machine's byte order.
func TestCallOf(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		call := bpftest.Call(r, bpftest.Constants())
		for _, e := range []bpf.Endian{bpf.Little, bpf.Big} {
			memory := call.Words(e)
			var w [words]uint32
			for offset := uint32(0); offset < bpf.SizeOf; offset += 4 {
				w[wordAt(offset, e)] = memory[offset/4]
			}
			if got := callOf(&w); got != call {
				t.Fatalf("byte order %d: %+v came back as %+v", e, call, got)
			}
		}
	}
}
