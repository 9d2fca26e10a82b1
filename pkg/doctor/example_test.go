//go:build linux

package doctor_test

import (
	"fmt"
	"os"

	"seccomp-hook/pkg/doctor"
)

func ExampleWriteText() {
	findings := []doctor.Finding{
		{Check: "runtime", Status: doctor.OK, Found: "/usr/sbin/runc: runc version 1.1.5, used"},
		{Check: "podman", Status: doctor.Note, Found: "/usr/bin/podman is not told to use seccomp-hook", Advice: "use the hook"},
	}
	if err := doctor.WriteText(os.Stdout, findings); err != nil {
		fmt.Println(err)
	}
	fmt.Println(doctor.Failed(findings))
	// Output:
	// ok    runtime        /usr/sbin/runc: runc version 1.1.5, used
	// note  podman         /usr/bin/podman is not told to use seccomp-hook; use the hook
	// false
}
