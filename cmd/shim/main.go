// Command containerd-shim-seccomp-v2 will be containerd's runc shim with the
// filter step in Create and Exec. It is not there yet, and says so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "containerd-shim-seccomp-v2: not part of this version; use seccomp-runc as BinaryName of containerd's runc shim")
	os.Exit(1)
}
