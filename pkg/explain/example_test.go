package explain_test

import (
	"fmt"
	"log"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/spec"
)

// resolve says what a profile means on x86_64.
func resolve(text string) (*spec.Policy, *spec.Profile) {
	x86_64, _ := arch.ByName("x86_64")
	profile, err := spec.Parse([]byte(text), "example")
	if err != nil {
		log.Fatal(err)
	}
	policy, err := profile.Resolve(spec.Target{Archs: []*arch.Arch{x86_64}})
	if err != nil {
		log.Fatal(err)
	}
	return policy, profile
}

func Example() {
	before, _ := resolve(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO"}]}`)
	after, profile := resolve(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare","keyctl"],"action":"SCMP_ACT_ERRNO"}]}`)

	differences, err := explain.Diff(before, after)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range differences {
		call := d.Changes[0].Call
		fmt.Println(explain.Name(d.Token, d.First), d.Changes[0].A, d.Changes[0].B, d.Changes[0].Direction())
		fmt.Println(explain.Why(after, profile, &call, 0))
	}
	// Output:
	// x86_64:keyctl ALLOW ERRNO(1) tightened
	// x86_64:keyctl: ERRNO(1): rule 0
}
