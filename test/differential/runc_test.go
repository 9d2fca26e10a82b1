//go:build libseccomp && integration

package differential

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
	"seccomp-hook/test/integration"
)

func runTests(m *testing.M) { integration.Main(m) }

// The reference is what runc installs: the program read back from a container's
// first process decides every call as the reference's does, and but for the
// -ENOSYS stub at its front, whose layout changes from run to run, it is the
// same instruction for instruction where this runc drives libseccomp the same
// way.
func TestRuncInstallsTheReference(t *testing.T) {
	native, ok := arch.ByName(x86_64)
	if !ok || native != arch.Native() {
		t.Skip("runs containers for x86_64")
	}
	builtin, err := spec.Builtin("builtin:docker")
	if err != nil {
		t.Fatal(err)
	}
	dockerDefault, err := reference.Object(builtin, spec.Target{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	// What a container needs to start under a list of denied calls.
	listed := func(o *specs.LinuxSeccomp) {
		o.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
		o.ListenerPath = ""
	}
	objects := []struct {
		name string
		*specs.LinuxSeccomp
	}{
		{"docker", dockerDefault},
		{"denied", with(profile(allow, failing(5, "acct syslog"), failing(6, "socket", arg(0, eq, 38)), failing(7, "ioctl", arg(1, eq, 1), arg(1, eq, 1<<32|2))), listed)},
		{"order", with(profile(allow, failing(5, "personality", arg(0, gt, 1<<40)), failing(6, "personality", arg(1, eq, 2)), failing(7, "personality", masked(0, 1<<50, 1<<50))), listed)},
	}
	for _, rt := range []integration.Runtime{integration.RuncDebian(t), integration.Runc(t)} {
		for _, o := range objects {
			t.Run(rt.Name+"/"+o.name, func(t *testing.T) {
				installed := installedBy(t, rt, o.LinuxSeccomp)
				want, err := reference.Compile(o.LinuxSeccomp, native)
				if err != nil {
					t.Fatal(err)
				}
				if r, err := verify.Programs(installed, want, bpf.Little); err != nil || r.Outcome != verify.Equal {
					t.Errorf("%v %v", r, err)
				}
				same := 0
				for same < len(want) && same < len(installed) && want[len(want)-1-same] == installed[len(installed)-1-same] {
					same++
				}
				t.Logf("%d instructions installed, %d of the reference, %d the same from the end", len(installed), len(want), same)
				if stub := len(want) - same; rt.Name == "runc-1.5" && stub > 30 {
					t.Errorf("they differ in %d instructions, the stub has at most 30", stub)
				}
			})
		}
	}
}

// installedBy returns the filter of a container's first process.
func installedBy(t *testing.T, rt integration.Runtime, object *specs.LinuxSeccomp) bpf.Program {
	t.Helper()
	b := integration.NewBundle(t, integration.Args("/bin/sleep", "1000"), integration.Seccomp(object))
	c := b.Create(rt)
	// Without noNewPrivileges runc installs the filter before it waits for
	// start.
	c.Start()
	programs, err := live.Programs(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) != 1 {
		t.Fatalf("%d filters", len(programs))
	}
	c.Delete(true)
	return programs[0].Program
}
