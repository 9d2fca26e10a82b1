//go:build linux

package install_test

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install"
)

// The kernel's refusals are typed, and say what to do about them.
func ExampleSeccompError() {
	_, err := install.Self(install.Filter{
		Program: bpf.Program{bpf.Ret(bpf.RetAllow)},
		Flags:   1 << 31, // no kernel has that one
	})
	var refusal *install.SeccompError
	fmt.Println(errors.As(err, &refusal), errors.Is(err, unix.EINVAL))
	fmt.Println(err)
	// Output:
	// true true
	// seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC|0x80000000, 1 instructions): the kernel does not take this program or these flags (EINVAL)
}

// An empty list of flags asks for none; one that is absent, for the default.
func ExampleParseFlags() {
	none, _ := install.ParseFlags([]string{})
	fmt.Println(none)
	some, _ := install.ParseFlags([]string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"})
	fmt.Println(some)
	_, err := install.ParseFlags([]string{"SECCOMP_FILTER_FLAG_NEW_LISTENER"})
	fmt.Println(err)
	// Output:
	// 0x0
	// SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_LOG
	// install: flags: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"
}
