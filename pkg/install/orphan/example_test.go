//go:build linux

package orphan_test

import (
	"fmt"
	"io"
	"os"

	"seccomp-hook/pkg/install/orphan"
)

// An orphan answers by the file that it was given: it has no standard output.
func ExampleStart() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	if err := orphan.Start("/bin/sh", []string{"sh", "-c", "echo started >&3"}, nil, int(w.Fd())); err != nil {
		panic(err)
	}
	w.Close()
	answer, err := io.ReadAll(r)
	fmt.Printf("%s%v\n", answer, err)
	// Output:
	// started
	// <nil>
}
