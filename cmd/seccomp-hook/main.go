// Command seccomp-hook gives containers their seccomp filter: as an OCI hook,
// and with tools to look at profiles and filters. See docs/cli.md.
package main

import (
	"os"

	"seccomp-hook/pkg/install"
)

func main() {
	// The installer waits in every container's start, so it comes before
	// everything else.
	if install.Requested() {
		os.Exit(install.Serve())
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
