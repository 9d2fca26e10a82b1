// Command seccomp-hook gives containers their seccomp filter: as an OCI hook,
// and with tools to look at profiles and filters. See docs/cli.md.
package main

import (
	"os"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

func main() {
	// The processes of a container's start come before everything else.
	if install.Requested() {
		os.Exit(install.Serve())
	}
	if code, ours := runtime.Main(os.Args); ours {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
