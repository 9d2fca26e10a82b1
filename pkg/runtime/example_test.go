package runtime_test

import (
	"fmt"

	"seccomp-hook/pkg/runtime"
)

// What containerd's shim starts for a container.
func ExampleParseArgs() {
	inv, err := runtime.ParseArgs(runtime.Runc, []string{
		"--root", "/run/containerd/runc/k8s.io", "--log", "/b/log.json", "--log-format", "json",
		"create", "--bundle", "/b", "--pid-file", "/b/init.pid", "c1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(inv.Command, inv.ID, "of", inv.Bundle, "in", inv.Root)
	// Output: create c1 of /b in /run/containerd/runc/k8s.io
}
