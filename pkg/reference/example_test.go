//go:build libseccomp

package reference_test

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/reference"
)

// The program that runc installs for a profile that allows one call: first the
// stub that answers ENOSYS for newer calls, then libseccomp's.
func ExampleCompile() {
	native, _ := arch.ByName("riscv64")
	program, err := reference.Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"getpid"}, Action: specs.ActAllow}},
	}, native)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(program)
	// Output:
	//  0: a = arch
	//  1: if a == 0xc00000f3 goto 2 else 5
	//  2: a = nr
	//  3: if a > 0xac goto 4 else 5
	//  4: return ERRNO(38)
	//  5: a = arch
	//  6: if a == 0xc00000f3 goto 7 else 11
	//  7: a = nr
	//  8: if a == 0xac goto 10 else 9
	//  9: return ERRNO(1)
	// 10: return ALLOW
	// 11: return KILL_THREAD
}
