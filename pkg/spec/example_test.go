package spec_test

import (
	"fmt"
	"log"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// A profile names calls; its policy says what every number gets.
func Example() {
	profile, err := spec.Parse([]byte(`{
		"defaultAction": "SCMP_ACT_ERRNO",
		"syscalls": [
			{"names": ["read", "write", "exit"], "action": "SCMP_ACT_ALLOW"},
			{"names": ["personality"], "action": "SCMP_ACT_ALLOW",
			 "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]}
		]
	}`), "example.json")
	if err != nil {
		log.Fatal(err)
	}
	x86, _ := arch.ByName("x86_64")
	policy, err := profile.Resolve(spec.Target{Native: x86})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(policy)
	// Output:
	// x86_64 0xc000003e:
	// 	0-1                   read..write ALLOW (rule 0)
	// 	2-59                  open..execve ERRNO(1)
	// 	60                    exit ALLOW (rule 0)
	// 	61-134                wait4..uselib ERRNO(1)
	// 	135                   personality depends
	// 		a0 == 0xffffffff: ALLOW (rule 1)
	// 		else ERRNO(1)
	// 	136-0x3fffffff        ustat..rseq_slice_yield ERRNO(38)
	// 	0x40000000-0x7fffffff read..pwritev2 KILL_THREAD
	// 	0x80000000-0xbfffffff ERRNO(38)
	// 	0xc0000000-0xfffffffe KILL_THREAD
	// 	0xffffffff            ERRNO(1)
	// other: KILL_THREAD
}

// A warning is about what a profile says and nobody heeds.
func ExampleWarnings() {
	profile, err := spec.Parse([]byte(`{
		"defaultAction": "SCMP_ACT_ERRNO",
		"syscalls": [
			{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["SYS_ADMIN"]}}
		]
	}`), "example.json")
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range profile.Warnings {
		fmt.Println(w)
	}
	// Output:
	// unknown-capability: rule 0: capability "SYS_ADMIN" is unknown: no container has it
}
