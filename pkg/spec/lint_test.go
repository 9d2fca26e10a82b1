package spec

import (
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
)

// TestTakes32 checks the table of narrow arguments: searched by name, so it
// must be sorted, and every name must be a call's.
func TestTakes32(t *testing.T) {
	if !slices.IsSortedFunc(takes32[:], func(a, b narrow) int { return strings.Compare(a.call, b.call) }) {
		t.Error("the table is not sorted")
	}
	for _, n := range takes32 {
		if _, ok := arch.FindCall(n.call); !ok || n.args == 0 || n.args >= 1<<6 {
			t.Errorf("%s, arguments %06b", n.call, n.args)
		}
	}
	for _, test := range []struct {
		call string
		arg  uint8
		want bool
	}{
		{"socket", 0, true}, {"socket", 2, true}, {"socket", 3, false},
		{"ioctl", 1, true}, {"ioctl", 2, false}, {"mmap", 0, false},
		{"prctl", 0, true}, {"clone", 0, true}, {"", 0, false}, {"zzz", 0, false},
	} {
		if takesLow(test.call, test.arg) != test.want {
			t.Errorf("%s, argument %d: %v", test.call, test.arg, !test.want)
		}
	}
}

// warnings resolves a profile on x86_64 and returns what it warns of.
func warnings(t *testing.T, text string) string {
	t.Helper()
	p, err := Parse([]byte(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	native, _ := arch.ByName("x86_64")
	policy, err := p.Resolve(Target{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, w := range policy.Warnings {
		list = append(list, w.String())
	}
	return strings.Join(list, "\n")
}

func TestTruncatedArguments(t *testing.T) {
	for _, test := range []struct {
		fallback, action, op string
		warned               bool
	}{
		// What is allowed can be widened by a high bit…
		{"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", `"value": 40, "op": "SCMP_CMP_GT"`, true},
		{"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", `"value": 40, "op": "SCMP_CMP_GE"`, true},
		{"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", `"value": 40, "op": "SCMP_CMP_NE"`, true},
		{"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", `"value": 40, "op": "SCMP_CMP_LT"`, false},
		{"SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", `"value": 40, "op": "SCMP_CMP_EQ"`, false},
		// …and what is denied can be avoided by one.
		{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", `"value": 40, "op": "SCMP_CMP_EQ"`, true},
		{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", `"value": 40, "op": "SCMP_CMP_LE"`, true},
		{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", `"value": 40, "op": "SCMP_CMP_GT"`, false},
		{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", `"value": 4294967295, "valueTwo": 40, "op": "SCMP_CMP_MASKED_EQ"`, false},
		{"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", `"value": 18446744073709551615, "valueTwo": 40, "op": "SCMP_CMP_MASKED_EQ"`, true},
		// KILL_PROCESS is the sternest action, though its number is not the least.
		{"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", `"value": 40, "op": "SCMP_CMP_GT"`, true},
	} {
		got := warnings(t, `{"defaultAction": "`+test.fallback+`", "syscalls": [
			{"names": ["socket", "mmap"], "action": "`+test.action+`", "args": [{"index": 0, `+test.op+`}]}]}`)
		want := ""
		if test.warned {
			want = "truncated-argument: rule 0: the kernel takes 32 bits of argument 0 of socket: a value with higher bits set gets "
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Count(got, "\n") > 0 {
			t.Errorf("%s, %s by default, %s: %q", test.action, test.fallback, test.op, got)
		}
	}
}

func TestSatisfy(t *testing.T) {
	all := allBits(64)
	for _, test := range []struct {
		name       string
		conditions []Condition
		want       bool
	}{
		{"nothing asked", nil, true},
		{"an interval", []Condition{{0, GT, all, 10}, {0, LT, all, 12}}, true},
		{"an empty interval", []Condition{{0, GT, all, 10}, {0, LT, all, 11}}, false},
		{"two masks", []Condition{{0, EQ, 0xf0, 0x10}, {0, EQ, 0x0f, 0x02}}, true},
		{"two masks that disagree", []Condition{{0, EQ, 0xf0, 0x10}, {0, EQ, 0x30, 0x20}}, false},
		{"all but one", []Condition{{0, NE, all, 0}, {0, LE, all, 1}}, true},
		{"the highest value", []Condition{{0, GE, all, all}, {0, NE, all, 0}}, true},
		{"nothing is less than 0", []Condition{{0, LT, all, 0}}, false},
		{"a low word", []Condition{{0, EQ, 0xffffffff, 5}, {0, GT, all, 0xffffffff}}, true},
	} {
		v, ok := satisfy(test.conditions)
		if ok != test.want {
			t.Errorf("%s: %#x, %v", test.name, v, ok)
		}
	}
}
