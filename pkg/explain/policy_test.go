package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// resolve returns what a profile means for x86_64 and more architectures.
func resolve(t *testing.T, text string, archs ...string) (*spec.Policy, *spec.Profile) {
	t.Helper()
	p, err := spec.Parse([]byte(text), "p")
	if err != nil {
		t.Fatal(err)
	}
	target := spec.Target{Archs: []*arch.Arch{x86_64(t)}}
	for _, name := range archs {
		a, _ := arch.ByName(name)
		target.Archs = append(target.Archs, a)
	}
	policy, err := p.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	return policy, p
}

const deny = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
	{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
	{"names":["mmap"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":7,"op":"SCMP_CMP_EQ"},{"index":2,"value":255,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}]},
	{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":1,"value":9,"op":"SCMP_CMP_GE"}]}]}`

func TestWhy(t *testing.T) {
	policy, profile := resolve(t, deny, "x86")
	for call, want := range map[string]string{
		"read":            "x86_64:read: ALLOW: rule 0",
		"read(1)":         "x86_64:read(0x1): ALLOW: rule 0",
		"brk":             "x86_64:brk: ERRNO(38): newer than every call that the profile names",
		"poll":            "x86_64:poll: ERRNO(1): default action",
		"mmap(7,0,0x101)": "x86_64:mmap(0x7, 0x0, 0x101): ALLOW: rule 1",
		"mmap(7,9)":       "x86_64:mmap(0x7, 0x9): LOG: rule 2",
		"mmap(7)":         "x86_64:mmap(0x7): ERRNO(1): default action",
		"mmap": "x86_64:mmap:\n  arg0 == 0x7 and arg2 & 0xff == 0x1: ALLOW: rule 1\n  arg1 >= 0x9: LOG: rule 2\n" +
			"  otherwise: ERRNO(1): default action",
		"x86:mmap": "x86:mmap:\n  arg0 == 0x7 and arg2 & 0xff == 0x1: ALLOW: rule 1\n  arg1 >= 0x9: LOG: rule 2\n" +
			"  otherwise: ERRNO(1): default action",
		"x32:read":     "x32:read: KILL_THREAD: the profile does not list the architecture",
		"aarch64:read": "aarch64:read: KILL_THREAD: the profile does not list the architecture",
		"0x1234:7":     "0x1234:7: KILL_THREAD: the profile does not list the architecture",
	} {
		d, given, err := ParseCall(call, x86_64(t))
		if err != nil {
			t.Fatal(err)
		}
		got := Why(policy, profile, &d, given)
		if call == "mmap" || call == "x86:mmap" {
			// The order of the cases is pkg/spec's to choose.
			if !sameLines(got.String(), want) {
				t.Errorf("%s:\n%s\nwant\n%s", call, got, want)
			}
			continue
		}
		if got.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", call, got, want)
		}
	}
}

func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, line := range strings.Split(a, "\n") {
		count[line]++
	}
	for _, line := range strings.Split(b, "\n") {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func lines(list []Difference) []string {
	all := []string{}
	for _, d := range list {
		all = append(all, d.Lines()...)
	}
	return all
}

func TestDiff(t *testing.T) {
	const allow = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[%s]}`
	for _, c := range []struct {
		name, a, b string
		want       []string
	}{
		{"the same", deny, deny, []string{}},
		{"one call", fmt.Sprintf(allow, `{"names":["read"],"action":"SCMP_ACT_LOG"}`), fmt.Sprintf(allow, `{"names":["write"],"action":"SCMP_ACT_LOG"}`),
			[]string{"x86_64:read: LOG, ALLOW", "x86_64:write: ALLOW, LOG"}},
		{"by an argument", fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_EQ"}]}`), fmt.Sprintf(allow, ``),
			[]string{"x86_64:mmap(0x7): LOG, ALLOW"}},
		{"the same in other words",
			fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_GE"}]},{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_LT"}]}`),
			fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG"}`), []string{}},
		{"other defaults", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}`, `{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}`, nil},
	} {
		a, _ := resolve(t, c.a)
		b, _ := resolve(t, c.b)
		got, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == nil { // all calls: one difference, many lines
			if len(got) != 2 || got[0].First != 0 || got[0].Last != arch.X32Bit-1 || got[1].First != math.MaxUint32 {
				t.Errorf("%s: %+v", c.name, got)
			}
			text := strings.Join(lines(got), "\n")
			for _, line := range []string{"x86_64:read: ALLOW, LOG", "to 0x3fffffff: ALLOW, LOG", "x86_64:0xffffffff: ALLOW, LOG"} {
				if !strings.Contains(text, line) {
					t.Errorf("%s: no %q", c.name, line)
				}
			}
			continue
		}
		if !reflect.DeepEqual(lines(got), c.want) {
			t.Errorf("%s: %q, want %q", c.name, lines(got), c.want)
		}
	}
}

func TestDiffOfArchitectures(t *testing.T) {
	const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG"}]}`
	one, _ := resolve(t, text)
	two, _ := resolve(t, text, "x86")
	got, err := Diff(one, two)
	if err != nil {
		t.Fatal(err)
	}
	text2 := strings.Join(lines(got), "\n")
	for _, line := range []string{"x86:read: KILL_THREAD, LOG", "x86:write: KILL_THREAD, ALLOW"} {
		if !strings.Contains(text2, line) {
			t.Errorf("no %q in\n%.500s", line, text2)
		}
	}
	if strings.Contains(text2, "x86_64") {
		t.Errorf("x86_64 differs:\n%.500s", text2)
	}
	other := *one
	other.Other = bpf.RetKillProcess
	if got, err = Diff(one, &other); err != nil || !reflect.DeepEqual(lines(got), []string{"other architectures: KILL_THREAD, KILL_PROCESS"}) {
		t.Errorf("%q, %v", lines(got), err)
	}
}

// TestDiffIsComplete: outside the differences two random policies agree on
// random calls, and each difference's example shows one.
func TestDiffIsComplete(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b := randomPolicy(r), randomPolicy(r)
		list, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.Undecided {
				t.Fatalf("seed %d: undecided: %+v", seed, d)
			}
			if x, y := a.Evaluate(&d.Call), b.Evaluate(&d.Call); x != d.A || y != d.B || x == y {
				t.Errorf("seed %d: %+v gets %s and %s", seed, d, x, y)
			}
		}
		for range 200 {
			call := bpf.Data{Arch: auditX86_64, Nr: r.Uint32N(12), Args: [6]uint64{r.Uint64N(4), r.Uint64N(4)}}
			differ := a.Evaluate(&call) != b.Evaluate(&call)
			listed := false
			for _, d := range list {
				listed = listed || d.First <= call.Nr && call.Nr <= d.Last
			}
			if differ && !listed {
				t.Errorf("seed %d: %+v is not in %+v", seed, call, list)
			}
		}
	}
}

// randomPolicy gives the numbers below 10 random verdicts.
func randomPolicy(r *rand.Rand) *spec.Policy {
	returns := []bpf.Return{bpf.RetAllow, bpf.RetLog, bpf.Errno(1)}
	pick := func() bpf.Return { return returns[r.IntN(len(returns))] }
	var ranges []spec.Range
	for first := uint32(0); ; {
		v := spec.Verdict{Default: pick()}
		for range r.IntN(3) {
			rule := spec.Rule{Return: pick()}
			for range r.IntN(3) {
				rule.Conditions = append(rule.Conditions, spec.Condition{Arg: uint8(r.IntN(2)), Op: spec.Op(r.IntN(6)), Mask: math.MaxUint64, Value: r.Uint64N(4)})
			}
			v.Rules = append(v.Rules, rule)
		}
		last := first + r.Uint32N(3)
		if last >= 10 {
			ranges = append(ranges, spec.Range{First: first, Last: math.MaxUint32, Verdict: v})
			break
		}
		ranges = append(ranges, spec.Range{First: first, Last: last, Verdict: v})
		first = last + 1
	}
	return &spec.Policy{Tokens: []spec.Token{{Audit: auditX86_64, Ranges: ranges}}}
}
