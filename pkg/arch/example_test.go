package arch_test

import (
	"fmt"

	"seccomp-hook/pkg/arch"
)

// One call has many numbers, and on some architectures a second door.
func Example() {
	for _, name := range []string{"x86_64", "x32", "x86", "aarch64", "mips64"} {
		a, _ := arch.ByName(name)
		nr, _ := a.Number("socket")
		fmt.Printf("%-8s %#08x %#x\n", a, a.Audit, nr)
	}
	for _, c := range arch.Companions() {
		if c.Call.Name() == "socket" {
			fmt.Printf("or %s(%d, …)\n", c.Via.Name(), c.Which)
		}
	}
	// Output:
	// x86_64   0xc000003e 0x29
	// x32      0xc000003e 0x40000029
	// x86      0x40000003 0x167
	// aarch64  0xc00000b7 0xc6
	// mips64   0x80000008 0x13b0
	// or socketcall(1, …)
}
