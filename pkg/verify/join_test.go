package verify

import (
	"math/rand/v2"
	"testing"
)

// TestJoinedFacts: what is joined says nothing that does not hold for all words of
// both sides, and what both sides say is said.
func TestJoinedFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 5))
	some := func() *facts {
		f := anything
		for range r.IntN(5) {
			l := literal{atLeast: r.IntN(2) == 0, not: r.IntN(2) == 0, mask: ^uint32(0), value: r.Uint32N(66)}
			if r.IntN(2) == 0 {
				l.mask = r.Uint32N(64)
			}
			if g, possible := f.with(l); possible {
				f = g
			}
		}
		return f
	}
	meets := func(f *facts, word uint32) bool {
		_, possible := f.with(literal{mask: ^uint32(0), value: word})
		return possible
	}
	kept, said := 0, 0
	for range 3000 {
		f, g := some(), some()
		joined := f.join(g)
		for word := range uint32(70) {
			if (meets(f, word) || meets(g, word)) && !meets(joined, word) {
				t.Fatalf("%+v and %+v: joined %+v without %d", f, g, joined, word)
			}
		}
		if same := f.join(f); same != f {
			t.Fatalf("%+v joined with itself: %+v", f, same)
		}
		for _, l := range f.literals(0) {
			if g.truth(l, every) == always {
				if said++; joined.truth(l, every) == always {
					kept++
				}
			}
		}
	}
	if said == 0 || kept < said {
		t.Errorf("of %d literals that both sides say %d are kept", said, kept)
	}
}
