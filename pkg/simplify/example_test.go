package simplify_test

import (
	"fmt"
	"strings"

	"seccomp-hook/pkg/simplify"
	"seccomp-hook/pkg/spec"
)

// A profile in which one rule hides another, and a call has a typing error.
func ExampleMinimize() {
	p, err := spec.Read(strings.NewReader(`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
		{"names": ["mount", "umuont2"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["mount"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 3, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`), "p.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	least, dropped, err := simplify.Minimize(p)
	fmt.Println(len(least.Syscalls), "rule", err)
	for _, d := range dropped {
		fmt.Println(d)
	}
	// Output:
	// 1 rule <nil>
	// rule 0: umuont2: no architecture has the call
	// rule 1: other rules hide it, or say the same
}
