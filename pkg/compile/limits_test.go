package compile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

// all64 compares all bits.
const all64 = ^uint64(0)

// shapes make the i-th of n rules on one call, some of which no diagram can
// hold.
var shapes = []struct {
	name string
	rule func(r *rand.Rand, i int) spec.Rule
	// fits is the number of rules for which there must be a program.
	fits int
}{
	{"commands", func(_ *rand.Rand, i int) spec.Rule {
		return allowWhere(spec.Condition{Arg: 1, Op: spec.EQ, Mask: all64, Value: uint64(0x5400 + 3*i)})
	}, 2000},
	{"all 64 bits", func(r *rand.Rand, _ int) spec.Rule {
		return allowWhere(spec.Condition{Arg: 1, Op: spec.EQ, Mask: all64, Value: r.Uint64()})
	}, 1000},
	{"many errnos", func(r *rand.Rand, i int) spec.Rule {
		rule := allowWhere(spec.Condition{Arg: 1, Op: spec.EQ, Mask: all64, Value: uint64(r.Uint32())})
		rule.Return = bpf.Errno(uint16(i % 100))
		return rule
	}, 2000},
	{"not equal", func(r *rand.Rand, i int) spec.Rule {
		rule := allowWhere(spec.Condition{Arg: 1, Op: spec.NE, Mask: all64, Value: uint64(r.Uint32())})
		rule.Return = bpf.Errno(uint16(i % 100))
		return rule
	}, 4000},
	{"pairs", func(_ *rand.Rand, i int) spec.Rule {
		return allowWhere(
			spec.Condition{Arg: 0, Op: spec.EQ, Mask: all64, Value: uint64(i)},
			spec.Condition{Arg: 1, Op: spec.EQ, Mask: all64, Value: uint64(i * 7 % 31)})
	}, 2000},
	{"rectangles", func(r *rand.Rand, i int) spec.Rule {
		rule := allowWhere(
			spec.Condition{Arg: 0, Op: spec.GT, Mask: all64, Value: r.Uint64()},
			spec.Condition{Arg: 1, Op: spec.LT, Mask: all64, Value: r.Uint64()})
		rule.Return = bpf.Errno(uint16(i % 7))
		return rule
	}, 2000},
	{"deep masks", func(r *rand.Rand, _ int) spec.Rule {
		mask := r.Uint64()
		return allowWhere(spec.Condition{Arg: 0, Op: spec.EQ, Mask: mask, Value: r.Uint64() & mask})
	}, 100},
	{"thin masks", func(r *rand.Rand, _ int) spec.Rule {
		var mask uint64
		for range 3 {
			mask |= 1 << r.IntN(32)
		}
		return allowWhere(spec.Condition{Arg: 0, Op: spec.EQ, Mask: mask, Value: r.Uint64() & mask})
	}, 100},
	{"masks in order", func(r *rand.Rand, i int) spec.Rule {
		mask := r.Uint64()
		rule := allowWhere(spec.Condition{Arg: 0, Op: spec.GT, Mask: mask, Value: r.Uint64() & mask})
		rule.Return = bpf.Errno(uint16(i % 5))
		return rule
	}, 1000},
	{"six arguments", func(r *rand.Rand, i int) spec.Rule {
		rule := spec.Rule{Return: bpf.Errno(uint16(i % 5))}
		for arg := range uint8(6) {
			rule.Conditions = append(rule.Conditions, spec.Condition{Arg: arg, Op: spec.Op(r.IntN(6)), Mask: all64, Value: r.Uint64N(40)})
		}
		return rule
	}, 100},
	{"the same", func(*rand.Rand, int) spec.Rule {
		return allowWhere(spec.Condition{Arg: 1, Op: spec.GE, Mask: all64, Value: 77})
	}, 40000},
}

func allowWhere(c ...spec.Condition) spec.Rule {
	return spec.Rule{Conditions: c, Return: bpf.RetAllow}
}

// oneCall returns a policy with these rules on one call.
func oneCall(rules []spec.Rule) *spec.Policy {
	return &spec.Policy{Tokens: []spec.Token{{Audit: 0xc000003e, Ranges: []spec.Range{
		{First: 0, Last: 15, Verdict: spec.Verdict{Default: bpf.RetAllow}},
		{First: 16, Last: 16, Verdict: spec.Verdict{Rules: rules, Default: bpf.Errno(1)}},
		{First: 17, Last: ^uint32(0), Verdict: spec.Verdict{Default: bpf.RetAllow}},
	}}}}
}

// TestLimits gives a correct program or a clear error for any number of rules,
// and never takes much memory.
func TestLimits(t *testing.T) {
	for _, shape := range shapes {
		for _, n := range []int{10, 100, 1000, 2000, 4000, 40000} {
			t.Run(fmt.Sprintf("%s/%d", shape.name, n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(n), 3))
				rules := make([]spec.Rule, n)
				for i := range rules {
					rules[i] = shape.rule(r, i)
				}
				policy := oneCall(rules)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				program, err := compile.Compile(policy, compile.Options{})
				runtime.ReadMemStats(&after)
				// All that was ever allocated is more than was in use at once.
				if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 128 {
					t.Errorf("allocates %d MiB", used)
				}
				var tooLarge *compile.TooLargeError
				if errors.As(err, &tooLarge) && n > shape.fits && tooLarge.Instructions > bpf.MaxInstructions {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := program.Validate(); err != nil {
					t.Fatal(err)
				}
				for range 500 {
					d := bpf.Data{Arch: policy.Tokens[0].Audit, Nr: 16}
					for i := range d.Args {
						d.Args[i] = r.Uint64N(100)
					}
					for _, c := range rules[r.IntN(n)].Conditions {
						d.Args[c.Arg] = c.Value + r.Uint64N(3) - 1
						if r.IntN(2) == 0 {
							d.Args[c.Arg] = c.Value | r.Uint64()&^c.Mask
						}
					}
					if got, _ := run(t, program, policy.Endian, &d); got != policy.Evaluate(&d) {
						t.Fatalf("call with %#x gets %s, want %s", d.Args, got, policy.Evaluate(&d))
					}
				}
			})
		}
	}
}

// TestManyConditions has a rule for what is none of many values.
func TestManyConditions(t *testing.T) {
	for _, n := range []int{10, 100, 1000, 3000} {
		var rule spec.Rule
		for i := range n {
			rule.Conditions = append(rule.Conditions, spec.Condition{Arg: 2, Op: spec.NE, Mask: 0xffffffff, Value: uint64(7 * i)})
		}
		rule.Return = bpf.RetAllow
		policy := oneCall([]spec.Rule{rule})
		program, err := compile.Compile(policy, compile.Options{})
		if err != nil {
			t.Fatalf("%d conditions: %v", n, err)
		}
		for value := range uint64(7*n + 10) {
			d := bpf.Data{Arch: policy.Tokens[0].Audit, Nr: 16}
			d.Args[2] = 1<<32 | value
			if got, _ := run(t, program, policy.Endian, &d); got != policy.Evaluate(&d) {
				t.Fatalf("%d conditions: call with %d gets %s, want %s", n, value, got, policy.Evaluate(&d))
			}
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.Run("docker, x86_64", func(b *testing.B) {
		benchmark(b, builtin(b, "builtin:docker", nil, "x86_64"))
	})
	b.Run("docker, x86_64 + x86 + x32", func(b *testing.B) {
		benchmark(b, builtin(b, "builtin:docker", nil, "x86_64", "x86", "x32"))
	})
	for _, shape := range shapes {
		b.Run("2000 "+shape.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 3))
			rules := make([]spec.Rule, 2000)
			for i := range rules {
				rules[i] = shape.rule(r, i)
			}
			benchmark(b, oneCall(rules))
		})
	}
}

func benchmark(b *testing.B, policy *spec.Policy) {
	b.ReportAllocs()
	for b.Loop() {
		program, err := compile.Compile(policy, compile.Options{})
		var tooLarge *compile.TooLargeError
		if err != nil && !errors.As(err, &tooLarge) {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(program)), "instructions")
	}
}
