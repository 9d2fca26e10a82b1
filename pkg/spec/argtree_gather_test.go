package spec

import (
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// TestGatheredRules compares lists of rules whose ends were brought together with
// those of the same rules in pieces: they decide the same of every call.
func TestGatheredRules(t *testing.T) {
	var gathered, pieces, valid, decided int
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 22))
		bits := 64
		if r.IntN(8) == 0 {
			bits = 32
		}
		rules := manyConditions(r, bits)
		overlap := seed%2 == 0
		if overlap {
			rules, bits = comparisons(r, 2+r.IntN(10)), 64
		}
		whole := argTree{rules: rules, bits: bits, prunes: true, work: newWork()}
		apart := argTree{rules: rules, bits: bits, prunes: true, work: newWork()}
		apart.work.gathering = 0
		conflict := false
		for i := range rules {
			for _, tree := range []*argTree{&whole, &apart} {
				first, err := tree.insert(i)
				if err != nil {
					t.Fatal(err)
				}
				conflict = conflict || first != none
			}
		}
		if conflict {
			continue
		}
		valid++
		a, b := whole.list(), apart.list()
		if overlap {
			gathered, pieces = gathered+len(a), pieces+len(b)
		}
		for range 300 {
			args := near(r, rules)
			got, want := first(a, &args), first(b, &args)
			if got != want {
				t.Fatalf("seed %d: %#x gives %v, want %v\n%v\n%v", seed, args, got, want, a, b)
			}
			if want != 0 {
				decided++
			}
		}
	}
	t.Logf("%d rules of %d pieces in %d lists; %d calls met one", gathered, pieces, valid, decided)
	if gathered > pieces*3/4 || valid < 500 || decided < 50_000 {
		t.Error("too few")
	}
}

// comparisons returns rules on some arguments that overlap in much.
func comparisons(r *rand.Rand, n int) []Rule {
	values := make([]uint64, 1+r.IntN(6))
	for i := range values {
		values[i] = r.Uint64() >> (32 * r.IntN(2))
		if r.IntN(4) == 0 {
			values[i] |= ^uint64(0) >> (32 * r.IntN(2))
		}
		if i > 0 && r.IntN(3) == 0 {
			values[i] = values[0]&^uint64(1<<32-1) | values[i]>>32
		}
	}
	var rules []Rule
	for i := range n {
		rule := Rule{Return: bpf.Errno(uint16(1 + r.IntN(n))), Origin: i}
		kept := uint8(0) // the arguments that are compared as by a rule before
		if len(rules) > 0 && r.IntN(3) > 0 {
			kept = uint8(r.IntN(7))
			for _, c := range rules[r.IntN(len(rules))].Conditions {
				if c.Arg < kept {
					rule.Conditions = append(rule.Conditions, c)
				}
			}
		}
		for arg := kept; arg < 6; arg++ {
			if r.IntN(5) == 0 {
				continue
			}
			value := values[r.IntN(len(values))]
			if r.IntN(3) > 0 {
				value = r.Uint64()
			}
			c := on(arg, []Op{EQ, NE, LT, LE, GT, GE, GE, GT, LE}[r.IntN(9)], value)
			if r.IntN(6) == 0 {
				c = on(arg, maskedEQ, c.Value)
				c.Mask = values[r.IntN(len(values))]
			}
			rule.Conditions = append(rule.Conditions, c)
		}
		if !unconditional(rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// near returns arguments that are at the constants of rules, in either word.
func near(r *rand.Rand, rules []Rule) (args [6]uint64) {
	rule := rules[r.IntN(len(rules))]
	for i := range args {
		args[i] = r.Uint64() >> r.IntN(64)
	}
	for _, c := range rule.Conditions {
		args[c.Arg] = c.Value&c.Mask | r.Uint64()&^c.Mask
		switch r.IntN(6) {
		case 0:
			args[c.Arg] += r.Uint64N(3) - 1
		case 1:
			args[c.Arg] += (r.Uint64N(3) - 1) << 32
		case 2:
			args[c.Arg] = args[c.Arg]>>32<<32 | r.Uint64()>>32
		}
		other := rules[r.IntN(len(rules))]
		for _, d := range other.Conditions {
			if d.Arg == c.Arg && r.IntN(6) == 0 {
				args[c.Arg] = d.Value + r.Uint64N(3) - 1
			}
		}
	}
	return args
}

// first returns what the first rule says that args meet, 0 where they meet none.
func first(rules []Rule, args *[6]uint64) bpf.Return {
next:
	for i := range rules {
		for _, c := range rules[i].Conditions {
			if !c.Holds(args) {
				continue next
			}
		}
		return rules[i].Return
	}
	return 0
}
