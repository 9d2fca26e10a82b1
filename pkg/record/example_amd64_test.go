package record_test

import (
	"fmt"
	"log"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/record"
)

// Docker's default profile looks at the argument of personality(2), so the
// recorded one does, too. It lists the machine's own architecture, x86_64 here.
func ExampleProfile() {
	base := &record.Base{Request: filter.Request{Profile: "builtin:docker"}}
	const x86_64 = 0xc000003e
	text, _, err := record.Profile([]record.Call{{Token: x86_64, Nr: 0}, {Token: x86_64, Nr: 135, Arguments: [][6]uint64{{8}}}}, base)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// {
	// 	"defaultAction": "SCMP_ACT_ERRNO",
	// 	"defaultErrnoRet": 1,
	// 	"architectures": [
	// 		"SCMP_ARCH_X86_64"
	// 	],
	// 	"syscalls": [
	// 		{
	// 			"names": [
	// 				"read"
	// 			],
	// 			"action": "SCMP_ACT_ALLOW"
	// 		},
	// 		{
	// 			"names": [
	// 				"personality"
	// 			],
	// 			"action": "SCMP_ACT_ALLOW",
	// 			"args": [
	// 				{
	// 					"index": 0,
	// 					"value": 8,
	// 					"op": "SCMP_CMP_EQ"
	// 				}
	// 			]
	// 		}
	// 	]
	// }
}
