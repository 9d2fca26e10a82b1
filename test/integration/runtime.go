//go:build integration

package integration

import (
	"os/exec"
	"testing"
)

// Runtime is one OCI runtime under test: the command that starts it.
type Runtime struct {
	Name string   // for the names of subtests
	Argv []string // program and global arguments
	// unified has the runtime run in a mount namespace of its own, where
	// /sys/fs/cgroup is cgroup2 and nothing else.
	unified bool
}

// Command returns the command line that runs the runtime with args.
func (rt Runtime) Command(args ...string) []string {
	argv := append(append([]string{}, rt.Argv...), args...)
	if rt.unified {
		return append([]string{
			"unshare", "--mount", "--propagation", "private", "--", "sh", "-c",
			`[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@"`,
		}, argv...)
	}
	return argv
}

// Behind returns rt with another program in front: Argv is argv followed by the
// flags of the old Argv. What rt needs of its surroundings stays, so that a
// runtime that stands before crun meets the cgroups crun wants.
func (rt Runtime) Behind(name string, argv ...string) Runtime {
	rt.Name = name
	rt.Argv = append(argv, rt.Argv[1:]...)
	return rt
}

// RuncDebian returns the distribution's runc (1.1.5).
func RuncDebian(t testing.TB) Runtime {
	return Runtime{Name: "runc-1.1", Argv: []string{program(t, "runc")}}
}

// Runc returns the newest runc, the one of the tools modules.
func Runc(t testing.TB) Runtime { return Runtime{Name: "runc-1.5", Argv: []string{Tool(t, "runc")}} }

// Crun returns the distribution's crun (1.8.1). It refuses the mix of cgroup
// v1 and v2 that a machine without systemd has.
func Crun(t testing.TB) Runtime {
	return Runtime{Name: "crun-1.8", Argv: []string{program(t, "crun"), "--cgroup-manager=cgroupfs"}, unified: true}
}

// Runtimes returns all of them.
func Runtimes(t testing.TB) []Runtime {
	return []Runtime{RuncDebian(t), Runc(t), Crun(t)}
}

// EachRuntime runs f as a subtest for every runtime.
func EachRuntime(t *testing.T, f func(t *testing.T, rt Runtime)) {
	for _, rt := range Runtimes(t) {
		t.Run(rt.Name, func(t *testing.T) { f(t, rt) })
	}
}

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v (run `make dependencies` first)", err)
	}
	return path
}
