package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
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
		"mmap(7,0,0x101)": "x86_64:mmap(0x7, 0, PROT_READ|0x100, 0, 0, 0): ALLOW: rule 1",
		"mmap(7,9)":       "x86_64:mmap(0x7, 0x9, 0, 0, 0, 0): LOG: rule 2",
		"mmap(7)":         "x86_64:mmap(0x7, 0, 0, 0, 0, 0): ERRNO(1): default action",
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

// TestWhyReached: cases that no call meets are left out.
func TestWhyReached(t *testing.T) {
	policy, profile := resolve(t, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
		{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]},
		{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":38,"op":"SCMP_CMP_NE"}]},
		{"names":["prctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":0,"op":"SCMP_CMP_LT"}]},
		{"names":["prctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":3,"op":"SCMP_CMP_EQ"}]},
		{"names":["write"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"SCMP_CMP_GE"}]},
		{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":0,"op":"SCMP_CMP_LT"}]},
		{"names":["statx"],"action":"SCMP_ACT_ALLOW"}]}`)
	for name, want := range map[string]string{
		"socket": "x86_64:socket: ALLOW: rules 0, 1 together",
		"prctl":  "x86_64:prctl:\n  arg0 == 0x3: ALLOW: rule 3\n  otherwise: ERRNO(1): default action",
		"write":  "x86_64:write: ALLOW: rule 4",
		"read":   "x86_64:read: ERRNO(1): default action",
	} {
		d, given, err := ParseCall(name, x86_64(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := Why(policy, profile, &d, given).String(); got != want {
			t.Errorf("%s, want %s", got, want)
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

// lines are what people see of the differences of two policies.
func lines(t *testing.T, a, b *spec.Policy) []string {
	t.Helper()
	list, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	c := Comparison{Targets: make([]spec.Target, 1)}
	for _, e := range entries(a, b, list) {
		e.Targets = []int{0}
		c.Entries = append(c.Entries, e)
	}
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
}

func TestDiff(t *testing.T) {
	const allow = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[%s]}`
	for _, c := range []struct {
		name, a, b string
		want       []string
	}{
		{"the same", deny, deny, []string{""}},
		{"one call", fmt.Sprintf(allow, `{"names":["read"],"action":"SCMP_ACT_LOG"}`), fmt.Sprintf(allow, `{"names":["write"],"action":"SCMP_ACT_LOG"}`),
			[]string{"x86_64:read: LOG, ALLOW", "x86_64:write: ALLOW, LOG"}},
		{"by an argument", fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_EQ"}]}`), fmt.Sprintf(allow, ``),
			[]string{"x86_64:mmap(0x7): LOG, ALLOW"}},
		{"the same in other words",
			fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_GE"}]},{"names":["mmap"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":7,"op":"SCMP_CMP_LT"}]}`),
			fmt.Sprintf(allow, `{"names":["mmap"],"action":"SCMP_ACT_LOG"}`), []string{""}},
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
			text := strings.Join(lines(t, a, b), "\n")
			for _, line := range []string{"x86_64:{read,write,", "to 0x3fffffff: ALLOW, LOG", "x86_64:0xffffffff: ALLOW, LOG"} {
				if !strings.Contains(text, line) {
					t.Errorf("%s: no %q", c.name, line)
				}
			}
			continue
		}
		if got := lines(t, a, b); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDiffOfArchitectures(t *testing.T) {
	const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG"}]}`
	one, _ := resolve(t, text)
	two, _ := resolve(t, text, "x86")
	three, _ := resolve(t, text, "x86", "x32")
	for _, c := range []struct {
		a, b *spec.Policy
		want []string
	}{
		{one, two, []string{"architecture x86 added"}},
		{two, one, []string{"architecture x86 removed"}},
		{two, three, []string{"architecture x32 added"}},
		{one, three, []string{"architecture x32 added", "architecture x86 added"}},
		{two, two, []string{""}},
	} {
		if got := lines(t, c.a, c.b); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestDiffOfUnlisted(t *testing.T) {
	one, _ := resolve(t, deny)
	other := *one
	other.Other = bpf.RetKillProcess
	list, err := Diff(one, &other)
	if err != nil || len(list) != 1 || !list[0].Others || list[0].Changes[0].Direction() != Tightened {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDiffByCall: a call is one line for each pair of verdicts, whatever it has
// of architectures.
func TestDiffByCall(t *testing.T) {
	const text = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["statx"],"action":"SCMP_ACT_ALLOW"},{"names":["personality","prctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":%d,"op":"SCMP_CMP_EQ"}]}]}`
	one, _ := resolve(t, fmt.Sprintf(text, 1), "x86", "x32")
	two, _ := resolve(t, fmt.Sprintf(text, 2), "x86", "x32")
	want := map[string]bool{
		"x86_64,x32,x86:personality(0x1): ALLOW, ERRNO(1)": true, "x86_64,x32,x86:personality(0x2): ERRNO(1), ALLOW": true,
		"x86_64,x32,x86:prctl(0x1): ALLOW, ERRNO(1)": true, "x86_64,x32,x86:prctl(0x2): ERRNO(1), ALLOW": true,
	}
	got := lines(t, one, two)
	for _, line := range got {
		if !want[line] {
			t.Errorf("%q", line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%q", got)
	}
}

func TestDirection(t *testing.T) {
	rule := func(errno int, name string) string {
		return `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["` + name + `"],"action":"SCMP_ACT_ERRNO","errnoRet":` + fmt.Sprint(errno) + `}]}`
	}
	for _, c := range []struct {
		a, b string
		want Direction
		word string
	}{
		{rule(1, "read"), rule(1, "read"), Same, "equal"},
		{rule(1, "read"), rule(2, "read"), Changed, "changed"},
		{rule(1, "read"), rule(1, "no"), Loosened, "loosened"},
		{rule(1, "no"), rule(1, "read"), Tightened, "tightened"},
		{rule(1, "read"), rule(1, "write"), Both, "both"},
		{rule(1, `read","write`), rule(2, "read"), Loosened | Changed, "loosened"},
	} {
		a, _ := resolve(t, c.a)
		b, _ := resolve(t, c.b)
		list, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, certain := DirectionOf(list); got != c.want || got.String() != c.word || !certain {
			t.Errorf("%s to %s: %v, %v, want %s", c.a, c.b, got, certain, c.word)
		}
	}
}

// TestDiffIsComplete: outside the differences two random policies agree on
// random calls, within them each pair of verdicts is listed, and each difference's example shows one.
func TestDiffIsComplete(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b := randomPolicy(r), randomPolicy(r)
		list, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if len(d.Changes) == 0 {
				t.Fatalf("seed %d: undecided: %+v", seed, d)
			}
			for _, c := range d.Changes {
				if x, y := a.Evaluate(&c.Call), b.Evaluate(&c.Call); x != c.A || y != c.B || x == y {
					t.Errorf("seed %d: %+v gets %s and %s", seed, c, x, y)
				}
			}
		}
		for range 200 {
			call := bpf.Data{Arch: auditX86_64, Nr: r.Uint32N(12), Args: [6]uint64{r.Uint64N(4), r.Uint64N(4)}}
			x, y := a.Evaluate(&call), b.Evaluate(&call)
			listed := false
			for _, d := range list {
				listed = listed || d.First <= call.Nr && call.Nr <= d.Last &&
					slices.ContainsFunc(d.Changes, func(c Change) bool { return c.A == x && c.B == y })
			}
			if x != y && !listed {
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
