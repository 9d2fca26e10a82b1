package lint_test

import (
	"fmt"
	"log"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/lint"
	"seccomp-hook/pkg/spec"
)

// A rule that denies what another one allows outright, and a condition that
// always holds.
func Example() {
	text := []byte(`{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read", "ioctl"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 25,
     "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}]},
    {"names": ["write"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_LE"}, {"index": 2, "value": 0, "op": "SCMP_CMP_GE"}]}
  ]
}`)
	profile, err := spec.Parse(text, "example.json")
	if err != nil {
		log.Fatal(err)
	}
	x86_64, _ := arch.ByName("x86_64")
	for _, finding := range lint.Check(profile, text, lint.Options{Native: x86_64}) {
		fmt.Println(finding)
	}
	// Output:
	// example.json:6:5: warning: void-deny: rule 1: ioctl: it is not denied: ioctl(0x0, 0x5412) gets ALLOW by rule 0
	// example.json:9:62: note: idle-condition: rule 2: the comparison of argument 2 changes nothing
}
