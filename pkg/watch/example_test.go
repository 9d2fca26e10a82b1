//go:build linux

package watch_test

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/watch"
)

// Of twelve calls the kernel served nine from its cache; the filter ran for the
// others and denied one of them.
func ExampleCount() {
	c := watch.Count{
		Cached: 9, Ran: 2, Instructions: 24,
		Verdicts: []watch.Verdict{{Return: bpf.Errno(1), Count: 1, Instructions: 14}},
	}
	fmt.Println(c.Total(), "calls,", c.Executed(), "executed,", c.Denied(), "denied,", c.Steps(), "instructions")
	// Output: 12 calls, 11 executed, 1 denied, 38 instructions
}
