package warm_test

import (
	"fmt"
	"log"

	"seccomp-hook/pkg/warm"
)

// An engine writes a profile anew, and decides its conditions. containerd knows none.
func ExampleWritten() {
	texts, err := warm.Written("profile.json", []byte(`{
		"defaultAction": "SCMP_ACT_ERRNO",
		"syscalls": [
			{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
			{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}
		]
	}`), []string{"CAP_CHOWN"})
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range texts {
		fmt.Printf("%s\n", text)
	}
	// Output:
	// {"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}]}
	// {"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},{"names":["bpf"],"action":"SCMP_ACT_ALLOW"}]}
}
