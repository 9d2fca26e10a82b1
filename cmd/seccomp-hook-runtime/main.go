// Command seccomp-hook-runtime is `seccomp-hook runtime` alone. The front
// (cmd/seccomp-runc) executes it where it does not do the work itself: a
// container's start waits for this program's, and without the packages of the
// other commands that takes half a millisecond less.
package main

import (
	"fmt"
	"os"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

func main() {
	if install.Requested() {
		os.Exit(install.Serve())
	}
	if code, ours := runtime.Main(os.Args); ours {
		os.Exit(code)
	}
	fmt.Fprintf(os.Stderr, "%s: started by %s, which belongs beside it\n", os.Args[0], runtime.Name)
	os.Exit(1)
}
