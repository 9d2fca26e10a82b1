package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"seccomp-hook/pkg/spec"
)

func TestKernels(t *testing.T) {
	p, err := spec.Parse([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "5.10"}},
		{"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}}]}`), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ low, high, want string }{
		{"4.0", "6.0", "[4.0 4.8 5.10]"}, {"4.8", "5.9", "[4.8]"}, {"4.9", "5.10", "[4.9 5.10]"}, {"6.0", "6.0", "[6.0]"},
	} {
		low, err1 := spec.ParseKernelVersion(test.low)
		high, err2 := spec.ParseKernelVersion(test.high)
		if got := fmt.Sprint(spec.Kernels(low, high, p)); got != test.want || err1 != nil || err2 != nil {
			t.Errorf("%s to %s: %s, want %s", test.low, test.high, got, test.want)
		}
	}
}

// TestTargets: which targets a profile tells apart.
func TestTargets(t *testing.T) {
	rule := func(name, filters string) string {
		return `{"names": ["` + name + `"], "action": "SCMP_ACT_ALLOW"` + filters + `}`
	}
	for _, test := range []struct {
		name, list string
		rules      []string
		want       string
	}{
		{"nothing", "", []string{rule("read", "")}, "x86_64[]"},
		{"a list", `"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],`, []string{rule("read", "")}, "x86_64[] aarch64[]"},
		{"a map", `"archMap": [{"architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_S390"]}],`, []string{rule("read", "")}, "s390x[]"},
		{"arches", "", []string{rule("read", `, "includes": {"arches": ["arm64"]}`)}, "x86_64[] aarch64[]"},
		{"a kernel", "", []string{rule("read", `, "includes": {"minKernel": "4.8"}`)}, "x86_64[] x86_64[]4.7"},
		{"capabilities of two calls", "", []string{rule("read", `, "includes": {"caps": ["CAP_A"]}`), rule("write", `, "excludes": {"caps": ["CAP_B"]}`), rule("statx", "")},
			"x86_64[] x86_64[CAP_A] x86_64[CAP_B]"},
		{"capabilities of one call", "", []string{rule("read", `, "includes": {"caps": ["CAP_A"]}`), rule("read", `, "includes": {"caps": ["CAP_B"]}`), rule("statx", "")},
			"x86_64[] x86_64[CAP_A] x86_64[CAP_B] x86_64[CAP_A CAP_B]"},
		{"capabilities that decide about the stub", "", []string{rule("open", `, "includes": {"caps": ["CAP_A"]}`), rule("write", `, "includes": {"caps": ["CAP_B"]}`)},
			"x86_64[] x86_64[CAP_A] x86_64[CAP_B] x86_64[CAP_A CAP_B]"},
		{"one that makes no difference", "", []string{rule("read", `, "includes": {"caps": ["CAP_A", "CAP_B"]}`), rule("statx", "")}, "x86_64[] x86_64[CAP_A CAP_B]"},
	} {
		p, err := spec.Parse([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", `+test.list+` "syscalls": [`+strings.Join(test.rules, ",")+`]}`), "test")
		if err != nil {
			t.Fatal(err)
		}
		targets, all := spec.Targets(archs(t, "x86_64")[0], nil, p)
		var got []string
		for i, target := range targets {
			text := target.Native.Name + fmt.Sprint(target.Capabilities)
			if i > 0 && target.Kernel != targets[0].Kernel {
				text += target.Kernel.String()
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != test.want || !all {
			t.Errorf("%s: %s, %v, want %s", test.name, strings.Join(got, " "), all, test.want)
		}
	}
}
