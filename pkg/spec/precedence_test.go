package spec

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// These tests are about the order of rules. That it is libseccomp's is shown
// in test/differential, against the library; what is expected here was taken
// from it.

func when(c ...Condition) []Condition { return c }

func on(arg uint8, op Op, value uint64) Condition {
	return Condition{Arg: arg, Op: op, Mask: ^uint64(0), Value: value}
}

func under(arg uint8, mask, value uint64) Condition {
	return Condition{Arg: arg, Op: maskedEQ, Mask: mask, Value: value}
}

// rulesFor returns rules with these conditions, and errnos 1, 2, 3, ….
func rulesFor(conditions ...[]Condition) []Rule {
	var list []Rule
	for i, c := range conditions {
		list = append(list, Rule{Conditions: c, Return: bpf.Errno(uint16(i + 1)), Origin: i})
	}
	return list
}

// narrowed returns the rules with 32-bit conditions.
func narrowed(rules []Rule) []Rule {
	list := slices.Clone(rules)
	for i := range list {
		list[i].Conditions = slices.Clone(list[i].Conditions)
		for k := range list[i].Conditions {
			list[i].Conditions[k].Mask &= 0xffffffff
			list[i].Conditions[k].Value &= 0xffffffff
		}
	}
	return list
}

const fallback = bpf.RetAllow

// decide returns the errno of the rule that wins, 0 for none.
func decide(t *testing.T, rules []Rule, bits int, args [6]uint64) uint16 {
	t.Helper()
	ordered, err := orderRules(rules, bits)
	if err != nil {
		t.Fatal(err)
	}
	v := Verdict{Rules: ordered, Default: fallback}
	got, _ := v.Decide(&args)
	if got == fallback {
		return 0
	}
	return got.Data()
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		name  string
		rules []Rule
		args  [6]uint64
		wide  uint16 // the rule that wins on 64 bits, from 1; 0 for none
		small uint16 // on 32 bits
	}{
		{"an unconditional rule wins from behind", rulesFor(when(on(0, EQ, 1)), when()), [6]uint64{1}, 2, 2},
		{"the first unconditional rule wins", rulesFor(when(on(0, EQ, 1)), when(), when()), [6]uint64{}, 2, 2},
		{"an empty mask is no condition", rulesFor(when(on(0, EQ, 1)), when(under(1, 0, 7))), [6]uint64{1}, 2, 2},
		{"a mask of high bits is none on 32 bits", rulesFor(when(on(0, EQ, 1)), when(under(1, 1<<32, 1<<32))), [6]uint64{1}, 1, 2},
		{"a later argument comes first", rulesFor(when(on(0, EQ, 1)), when(on(1, EQ, 2))), [6]uint64{1, 2}, 2, 2},
		{"a rule that matches in part falls through", rulesFor(when(on(0, EQ, 1), on(1, EQ, 2)), when(on(0, GE, 1))), [6]uint64{1, 3}, 2, 2},
		{"and past the end of its level to the default", rulesFor(when(on(0, EQ, 1), on(1, EQ, 2)), when(on(0, EQ, 2))), [6]uint64{1, 3}, 0, 0},
		{"equality before below", rulesFor(when(on(0, LT, 9)), when(on(0, EQ, 5))), [6]uint64{5}, 2, 2},
		{"below before above", rulesFor(when(on(0, GT, 1)), when(on(0, LT, 9))), [6]uint64{5}, 2, 2},
		{"of above the larger constant", rulesFor(when(on(0, GT, 1)), when(on(0, GT, 5)), when(on(0, GT, 3))), [6]uint64{6}, 2, 2},
		{"of below the smaller constant", rulesFor(when(on(0, LT, 9)), when(on(0, LT, 5)), when(on(0, LT, 7))), [6]uint64{4}, 2, 2},
		{"of NE the larger constant", rulesFor(when(on(0, NE, 5)), when(on(0, NE, 9))), [6]uint64{1}, 2, 2},
		{"of NE with values of another high word the first", rulesFor(when(on(0, NE, 5)), when(on(0, NE, 9))), [6]uint64{1 << 32}, 1, 2},
		{"of below a high word the first", rulesFor(when(on(0, LT, 2<<32|9)), when(on(0, LT, 2<<32|5))), [6]uint64{1}, 1, 2},
		{"in the high word the smaller constant", rulesFor(when(on(0, LT, 2<<32|9)), when(on(0, LT, 2<<32|5))), [6]uint64{2<<32 | 1}, 2, 0},
		{"of above a high word the larger constant", rulesFor(when(on(0, GT, 2<<32|5)), when(on(0, GT, 2<<32|9))), [6]uint64{3 << 32}, 2, 0},
		{"masks with one datum as they came", rulesFor(when(under(0, 3, 1)), when(under(0, 5, 1))), [6]uint64{1}, 1, 1},
		{"masks by their datum", rulesFor(when(under(0, 1, 1)), when(under(0, 2, 2))), [6]uint64{3}, 2, 2},
		{"a full mask is not EQ", rulesFor(when(under(0, ^uint64(0), 5)), when(on(0, EQ, 5))), [6]uint64{5}, 1, 1},
		{"EQ is not a full mask", rulesFor(when(on(0, EQ, 5)), when(under(0, ^uint64(0), 5))), [6]uint64{5}, 1, 1},
		{"on 64 bits masks of the low word stay together", rulesFor(when(under(0, 0xff, 3)), when(on(0, LE, 9)), when(under(0, 0xf, 3))), [6]uint64{3}, 1, 1},
		{"> is the test that <= is", rulesFor(when(on(0, LE, 5)), when(on(0, GT, 9)), when(on(0, GT, 5))), [6]uint64{10}, 3, 3},
		{"but <= behind a larger > stands on its own", rulesFor(when(on(0, GT, 9)), when(on(0, GT, 5)), when(on(0, LE, 5))), [6]uint64{10}, 1, 1},
		{"a shorter rule hides a longer one of its own beginning", rulesFor(when(on(0, EQ, 1)), when(on(0, EQ, 1), on(1, EQ, 2))), [6]uint64{1, 2}, 1, 1},
		{"a longer rule comes to nothing after its own end", rulesFor(when(on(1, EQ, 2)), when(on(0, EQ, 1), on(1, EQ, 2))), [6]uint64{1, 2}, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := decide(t, test.rules, 64, test.args); got != test.wide {
				t.Errorf("64 bits: rule %d wins, want %d", got, test.wide)
			}
			args := test.args
			for i := range args {
				args[i] &= 0xffffffff
			}
			if test.small == 0 && test.wide != 0 {
				return // it is about high words
			}
			if got := decide(t, narrowed(test.rules), 32, args); got != test.small {
				t.Errorf("32 bits: rule %d wins, want %d", got, test.small)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	for _, test := range []struct {
		name     string
		rules    []Rule
		conflict string // the two rules on 64 bits, "" for none
		narrow   string // on 32 bits
	}{
		{"the same condition", rulesFor(when(on(0, EQ, 1)), when(on(0, EQ, 1))), "0 1", "0 1"},
		{"the same two conditions", rulesFor(when(on(0, EQ, 1), on(1, LT, 2)), when(on(0, EQ, 1), on(1, LT, 2))), "0 1", "0 1"},
		{"the beginning of an earlier rule", rulesFor(when(on(0, EQ, 1), on(1, EQ, 2)), when(on(0, EQ, 1))), "0 1", "0 1"},
		{"the beginning of a later rule", rulesFor(when(on(0, EQ, 1)), when(on(0, EQ, 1), on(1, EQ, 2))), "", ""},
		{"the end of an earlier rule", rulesFor(when(on(0, EQ, 1), on(1, EQ, 2)), when(on(1, EQ, 2))), "", ""},
		{"constants that differ in the high word", rulesFor(when(on(0, EQ, 1)), when(on(0, EQ, 1<<32|1))), "", "0 1"},
		{"EQ and a full mask", rulesFor(when(on(0, EQ, 1)), when(under(0, ^uint64(0), 1))), "", ""},
		{"masks whose data agree under them", rulesFor(when(under(0, 1, 1)), when(under(0, 1, 3))), "0 1", "0 1"},
		{"GT and LE of one constant", rulesFor(when(on(0, GT, 1)), when(on(0, LE, 1))), "", ""},
		{"GT and GT of two constants", rulesFor(when(on(0, GT, 1)), when(on(0, GT, 2))), "", ""},
		{"before an unconditional rule", rulesFor(when(on(0, EQ, 1)), when(on(0, EQ, 1)), when()), "0 1", "0 1"},
		{"after an unconditional rule", rulesFor(when(), when(on(0, EQ, 1)), when(on(0, EQ, 1))), "", ""},
		{"two unconditional rules", rulesFor(when(), when()), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for bits, want := range map[int]string{64: test.conflict, 32: test.narrow} {
				rules := test.rules
				if bits == 32 {
					rules = narrowed(rules)
				}
				_, err := orderRules(rules, bits)
				var conflict *ConflictError
				switch {
				case want == "" && err != nil, want != "" && !errors.As(err, &conflict):
					t.Errorf("%d bits: %v, want %q", bits, err, want)
				case want != "" && want != fmt.Sprintf("%d %d", conflict.First.Origin, conflict.Second.Origin):
					t.Errorf("%d bits: %v, want %q", bits, err, want)
				}
			}
		})
	}
}

// A rule that another covers cannot contradict a third any more.
func TestCoveredRulesDoNotConflict(t *testing.T) {
	rules := rulesFor(when(on(0, EQ, 1), on(1, EQ, 2)), when(on(1, EQ, 2)), when(on(0, EQ, 1)))
	rules[1].Return = rules[0].Return
	if _, err := orderRules(rules, 64); err != nil {
		t.Errorf("covered: %v", err)
	}
	rules[1].Conditions[0].Value = 3
	if _, err := orderRules(rules, 64); err == nil {
		t.Error("not covered: no conflict")
	}
}

// Rules that do not overlap, or all have one action, stay as they were written,
// one condition an argument.
func TestPlainRulesStayPlain(t *testing.T) {
	oneAction := rulesFor(when(on(0, LT, 9), under(1, 0xff, 3)), when(on(0, NE, 9)))
	oneAction[1].Return = oneAction[0].Return
	for _, rules := range [][]Rule{
		oneAction,
		rulesFor(when(on(2, GT, 1<<40), on(3, NE, 1)), when(on(1, LE, 5)), when(on(0, EQ, 7))),
	} {
		before := slices.Clone(rules)
		for i := range before {
			before[i].Conditions = slices.Clone(rules[i].Conditions)
		}
		ordered, err := orderRules(rules, 64)
		if err != nil {
			t.Fatal(err)
		}
		if len(ordered) != len(rules) {
			t.Fatalf("%d rules of %d: %v", len(ordered), len(rules), ordered)
		}
		for i, r := range ordered {
			if !slices.Equal(r.Conditions, plainRule(rules[r.Origin]).Conditions) {
				t.Errorf("rule %d is %v", i, r)
			}
		}
		for i := range before {
			if !slices.Equal(before[i].Conditions, rules[i].Conditions) {
				t.Errorf("rule %d was changed in place", i)
			}
		}
	}
}

// Whatever the rules: the one that decides applies, one decides wherever one
// applies, and twice is the same. Rules of these shapes are also where
// libseccomp errs (docs/libseccomp.md), so there is nothing else to hold them to.
func TestOrderIsSound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	ops := []Op{EQ, NE, LT, LE, GT, GE, maskedEQ}
	values := []uint64{0, 1, 2, 3, 1 << 32, 1<<32 | 1, 2<<32 | 1, 1 << 63, ^uint64(0)}
	masks := []uint64{0, 1, 3, 0xffffffff, 1<<32 | 1, ^uint64(0)}
	args := append([]uint64{4, 1<<32 | 2, 3 << 32}, values...)
	conflicts := 0
	for range 3000 {
		var rules []Rule
		for i := range 2 + r.IntN(5) {
			rule := Rule{Return: bpf.Errno(uint16(1 + r.IntN(3))), Origin: i}
			for arg := range 3 {
				if r.IntN(2) == 0 {
					continue
				}
				c := on(uint8(arg), ops[r.IntN(len(ops))], values[r.IntN(len(values))])
				if c.Op == maskedEQ {
					c.Mask = masks[r.IntN(len(masks))]
				}
				rule.Conditions = append(rule.Conditions, c)
			}
			rules = append(rules, rule)
		}
		for _, bits := range []int{32, 64} {
			if bits == 32 {
				rules = narrowed(rules)
			}
			ordered, err := orderRules(rules, bits)
			if err != nil {
				conflicts++
				continue
			}
			again, _ := orderRules(rules, bits)
			if !slices.EqualFunc(ordered, again, func(a, b Rule) bool {
				return a.Return == b.Return && a.Origin == b.Origin && slices.Equal(a.Conditions, b.Conditions)
			}) {
				t.Fatalf("%v\ngives\n%v\nand\n%v", rules, ordered, again)
			}
			for range 50 {
				var call [6]uint64
				for i := range call {
					call[i] = args[r.IntN(len(args))] & (^uint64(0) >> (64 - bits))
				}
				soundAt(t, rules, ordered, &call)
			}
		}
	}
	if conflicts == 0 || conflicts > 3000 {
		t.Errorf("%d of 6000 contradict themselves", conflicts)
	}
}

func soundAt(t *testing.T, rules, ordered []Rule, args *[6]uint64) {
	t.Helper()
	v := Verdict{Rules: ordered, Default: fallback}
	got, decider := v.Decide(args)
	var possible []bpf.Return
	for _, rule := range plainRules(rules) {
		one := Verdict{Rules: []Rule{rule}, Default: fallback}
		if _, applies := one.Decide(args); applies != nil {
			possible = append(possible, rule.Return)
		}
	}
	if decider == nil && len(possible) > 0 || decider != nil && !slices.Contains(possible, got) {
		t.Fatalf("%v\nordered\n%v\nat %#x: %v, the rules say %v", rules, ordered, args, got, possible)
	}
	if decider != nil && rules[decider.Origin].Return != got {
		t.Fatalf("rule %d is said to decide %v", decider.Origin, got)
	}
}

// FuzzOrderRules orders whatever rules some bytes are, and holds the order to what
// the rules say (soundAt).
func FuzzOrderRules(f *testing.F) {
	f.Add([]byte{64, 1, 0, 2, 5, 0, 2, 0, 4, 9, 1})
	f.Add([]byte{32, 1, 0x10, 4, 5, 1, 2, 1, 2, 5, 0})
	f.Add([]byte{64, 1, 0x41, 4, 5, 6, 1, 2, 0x40, 4, 9, 6, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, bits := rulesIn(data)
		ordered, err := orderRules(rules, bits)
		if err != nil {
			return
		}
		for _, values := range [][6]uint64{{}, {1, 1, 1}, {5, 9, 5}, {1 << 32, 9, 1<<32 | 5}, {^uint64(0), 0, 5}} {
			for i := range values {
				values[i] &= ^uint64(0) >> (64 - bits)
			}
			soundAt(t, rules, ordered, &values)
		}
	})
}

// rulesIn makes rules of bytes; any bytes are some rules.
func rulesIn(data []byte) (rules []Rule, bits int) {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	ops := []Op{EQ, NE, LT, LE, GT, GE, maskedEQ}
	bits = 64
	if next() < 64 {
		bits = 32
	}
	for len(data) > 0 && len(rules) < 16 {
		rule := Rule{Return: bpf.Errno(uint16(next()) % 4), Origin: len(rules)}
		head := next()
		for arg := range uint8(3) {
			if head>>arg&1 == 0 && arg != head>>4&3 {
				continue
			}
			c := on(arg, ops[int(next())%len(ops)], uint64(next()))
			if high := next(); high&3 == 3 {
				c.Value |= uint64(high>>2) << 32
			}
			if c.Op == maskedEQ {
				c.Mask = uint64(next()) | uint64(next())<<32
			}
			rule.Conditions = append(rule.Conditions, c)
		}
		rules = append(rules, rule)
	}
	if bits == 32 {
		rules = narrowed(rules)
	}
	return rules, bits
}
