package reference_test

import (
	"encoding/json"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
)

const dockerFormat = `{
	"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
	"archMap": [
		{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
		{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
	],
	"syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
		{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
			"excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"]}},
		{"names": ["arch_prctl"], "action": "SCMP_ACT_TRACE", "errnoRet": 7, "includes": {"arches": ["amd64", "x32"]}},
		{"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}}
	]
}`

func TestObject(t *testing.T) {
	profile, err := spec.Parse([]byte(dockerFormat), "test")
	if err != nil {
		t.Fatal(err)
	}
	find := func(name string) *arch.Arch {
		a, ok := arch.ByName(name)
		if !ok {
			t.Fatal(name)
		}
		return a
	}
	const (
		head   = `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":[`
		read   = `{"names":["read"],"action":"SCMP_ACT_ALLOW"}`
		mount  = `{"names":["mount"],"action":"SCMP_ACT_ALLOW"}`
		clone  = `{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"op":"SCMP_CMP_MASKED_EQ"}]}`
		prctl  = `{"names":["arch_prctl"],"action":"SCMP_ACT_TRACE","errnoRet":7}`
		ptrace = `{"names":["ptrace"],"action":"SCMP_ACT_ALLOW"}`
	)
	for _, test := range []struct {
		name   string
		target spec.Target
		want   string
	}{
		{"x86_64", spec.Target{Native: find("x86_64")},
			head + `"SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],"syscalls":[` + read + "," + clone + "," + prctl + "," + ptrace + `]}`},
		{"with CAP_SYS_ADMIN", spec.Target{Native: find("aarch64"), Capabilities: []string{"CAP_SYS_ADMIN"}},
			head + `"SCMP_ARCH_AARCH64","SCMP_ARCH_ARM"],"syscalls":[` + read + "," + mount + "," + ptrace + `]}`},
		{"an old kernel, and architectures of its own", spec.Target{Native: find("s390x"), Archs: []*arch.Arch{find("s390x"), find("s390")}, Kernel: spec.KernelVersion{Major: 4, Minor: 7}},
			head + `"SCMP_ARCH_S390X","SCMP_ARCH_S390"],"syscalls":[` + read + `]}`},
	} {
		object, err := reference.Object(profile, test.target)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, err := json.Marshal(object)
		if err != nil || string(got) != test.want {
			t.Errorf("%s:\n got %s\nwant %s\n%v", test.name, got, test.want, err)
		}
	}
	if _, err := reference.Object(profile, spec.Target{}); err == nil {
		t.Error("no native architecture: no error")
	}
}
