//go:build linux

package live_test

import (
	"os"

	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// What Inspect returns of a container's first process, say, prints as
// `seccomp-hook inspect` shows it.
func ExampleInspection_WriteText() {
	inspection := live.Inspection{
		PID: 4711, Name: "nginx", Mode: 2, Kernel: "6.18",
		Filters: []live.InspectedFilter{{
			Length: 195, SHA256: "f0cc45f2…", Store: "builtin:docker", Flags: []string{"log"},
			Statistics: []precompute.Statistics{{Arch: "x86_64", Cached: 307, Constant: 382, Dynamic: 3, Total: 385}},
		}},
		Cache: live.Agreement{Agrees: true},
	}
	if err := inspection.WriteText(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// process 4711 (nginx): seccomp mode 2, 1 filter, no_new_privs false, kernel 6.18
	//
	// filter 0: 195 instructions, sha256 f0cc45f2…
	//   from the store: builtin:docker
	//   flags: log
	//   x86_64       385 calls: 307 cached, 382 constant, 3 dynamic
	//
	// kernel's cache: as predicted
}
