package compile_test

import (
	"fmt"

	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

// The example of docs/compiler.md.
func Example() {
	profile, err := spec.Parse([]byte(`{
		"defaultAction": "SCMP_ACT_ERRNO",
		"architectures": ["SCMP_ARCH_X86_64"],
		"syscalls": [
			{"names": ["read", "write", "close", "fstat", "exit_group"], "action": "SCMP_ACT_ALLOW"},
			{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
			{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]},
			{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 10, "op": "SCMP_CMP_EQ"}]},
			{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
			{"names": ["fcntl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 4, "op": "SCMP_CMP_NE"}]},
			{"names": ["fcntl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 4, "op": "SCMP_CMP_EQ"}]}
		]
	}`), "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := profile.Resolve(spec.Target{Native: profile.Architectures[0]})
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(program)
	// Output:
	//  0: a = arch
	//  1: if a == 0xc000003e goto 2 else 8
	//  2: a = nr
	//  3: if a >= 0xe7 goto 4 else 10
	//  4: if a >= 0x40000000 goto 6 else 5
	//  5: if a >= 0xe8 goto 9 else 27
	//  6: if a == 0xffffffff goto 28 else 7
	//  7: if a & 0x40000000 goto 8 else 9
	//  8: return KILL_THREAD
	//  9: return ERRNO(38)
	// 10: if a >= 0x49 goto 28 else 11
	// 11: if a >= 0x29 goto 15 else 12
	// 12: if a >= 0x6 goto 28 else 13
	// 13: if a == 0x2 goto 28 else 14
	// 14: if a == 0x4 goto 28 else 27
	// 15: if a >= 0x39 goto 16 else 17
	// 16: if a >= 0x48 goto 27 else 28
	// 17: if a >= 0x38 goto 18 else 20
	// 18: a = args[0][0]
	// 19: if a & 0x7e020000 goto 28 else 27
	// 20: if a >= 0x2a goto 28 else 21
	// 21: a = args[0][0]
	// 22: if a >= 0x3 goto 23 else 24
	// 23: if a == 0xa goto 25 else 28
	// 24: if a == 0x0 goto 28 else 25
	// 25: a = args[0][4]
	// 26: if a == 0x0 goto 27 else 28
	// 27: return ALLOW
	// 28: return ERRNO(1)
}
