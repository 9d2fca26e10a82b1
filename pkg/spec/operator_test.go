package spec

import (
	"errors"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

const resourceText = `# A profile of the operator's.
---
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata:
  name: web
  namespace: shop
spec:
  defaultAction: SCMP_ACT_ERRNO
  architectures:
  - SCMP_ARCH_NATIVE
  - SCMP_ARCH_X86
  syscalls:
  - action: SCMP_ACT_ALLOW
    names: [read, exit_group]
  - action: SCMP_ACT_ERRNO
    errnoRet: "EAFNOSUPPORT"
    names: [socket]
    args:
    - {index: 0, value: 0x26, op: SCMP_CMP_EQ}
    - {index: 1, value: 18446744073709551615, op: SCMP_CMP_LE}
`

// A resource in YAML means what its spec means as a seccomp object.
func TestOperatorProfile(t *testing.T) {
	p, err := Parse([]byte(resourceText), "web.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Form != FormOperator || len(p.Warnings) > 0 {
		t.Errorf("form %v, warnings %v", p.Form, p.Warnings)
	}
	object, err := Parse([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[
		{"names":["read","exit_group"],"action":"SCMP_ACT_ALLOW"},
		{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":97,"args":[
			{"index":0,"value":38,"op":"SCMP_CMP_EQ"},{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_LE"}]}]}`), "object")
	if err != nil {
		t.Fatal(err)
	}
	native, _ := arch.ByName("x86_64")
	a, err := p.Resolve(Target{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	b, err := object.Resolve(Target{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("the resource means\n%v\nthe object\n%v", a, b)
	}
	if r := a.Evaluate(&bpf.Data{Arch: native.Audit, Nr: 0}); r != bpf.RetAllow {
		t.Errorf("read gets %v", r)
	}
}

// The same in JSON, in any order of properties.
func TestOperatorProfileInJSON(t *testing.T) {
	p, err := Parse([]byte(`{"spec":{"defaultAction":"SCMP_ACT_LOG","disabled":true},"kind":"SeccompProfile","apiVersion":"security-profiles-operator.x-k8s.io/v1beta1"}`), "p")
	if err != nil || p.Form != FormOperator || !p.Disabled {
		t.Errorf("%+v %v", p, err)
	}
}

func TestOperatorProfileIsRefused(t *testing.T) {
	for _, test := range []struct{ name, from, to, want string }{
		{"version", "v1beta1", "v1alpha1", `a resource "SeccompProfile" of "security-profiles-operator.x-k8s.io/v1alpha1"`},
		{"kind", "kind: SeccompProfile", "kind: Pod", `a resource "Pod"`},
		{"base", "  defaultAction", "  baseProfileName: runc\n  defaultAction", "spec: profile web.yaml: spec.baseProfileName: the base profile is not in this file; take the property out"},
		{"two documents", "spec:\n", "---\nspec:\n", "more than one YAML document"},
		{"a second one behind", "SCMP_CMP_LE}\n", "SCMP_CMP_LE}\n---\nkind: Pod\n", "more than one YAML document"},
		{"twice", "metadata:", "kind: SeccompProfile\nmetadata:", "kind"},
		{"no spec", "spec:", "specs:", "no spec"},
		{"case", "defaultAction", "DefaultAction", `must be written "defaultAction"`},
		{"index", "index: 0", "index: 6", "spec.syscalls[1].args[0].index: 6 is out of range"},
		{"action", "SCMP_ACT_ALLOW", "SCMP_ACT_NOTHING", `spec.syscalls[0].action: unknown action`},
		{"errno", "EAFNOSUPPORT", "EWHAT", "unknown errno"},
		{"both", "metadata:", "defaultAction: SCMP_ACT_ALLOW\nmetadata:", "both"},
		{"tabs", "  syscalls:", "\tsyscalls:", "YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(resourceText, test.from, test.to, 1)
			if text == resourceText {
				t.Fatal("nothing is replaced")
			}
			_, err := Parse([]byte(text), "web.yaml")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %q expected", err, test.want)
			}
			if test.name == "base" && !errors.Is(err, ErrBaseProfile) {
				t.Error("no ErrBaseProfile")
			}
		})
	}
}

// Old profiles of Docker's ask for kernel "4.8.0": that is 4.8, and worth a
// warning, which is an error under strict.
func TestKernelVersionWithThreeNumbers(t *testing.T) {
	text := `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8.0"}}]}`
	p, err := Parse([]byte(text), "old.json")
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Syscalls[0].Includes.MinKernel; v == nil || *v != (KernelVersion{4, 8}) {
		t.Errorf("version %v", v)
	}
	if len(p.Warnings) != 1 || p.Warnings[0].Kind != WarnKernel || p.Warnings[0].Path != "syscalls[0].includes.minKernel" {
		t.Errorf("%+v", p.Warnings)
	}
	if err := p.Warnings.Strict(); !errors.Is(err, ErrStrict) {
		t.Errorf("strict: %v", err)
	}
	for _, wrong := range []string{"4.8.0.1", "4.8.x", "4.8.", "4", "4.x.0", "0.0.0"} {
		if _, err := Parse([]byte(strings.Replace(text, "4.8.0", wrong, 1)), "old.json"); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}
