//go:build linux

package deadline_test

import (
	"fmt"

	"seccomp-hook/pkg/install/deadline"
)

// A process that others wait for has a limit for its work, and none for waiting.
func Example() {
	deadline.Set(deadline.Limit)
	fmt.Println("the work")
	deadline.Stay()
	fmt.Println("waits")
	// Output:
	// the work
	// waits
}
