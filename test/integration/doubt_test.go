//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/runtime"
)

// TestDoubtful: an exec's filter is suspended while a process is in the host's mount
// namespace, where the runtime is. A container's init that goes there, after the
// exec has begun, has no unfiltered process brought to it: it is killed.
func TestDoubtful(t *testing.T) {
	for _, kind := range []string{frontInC, frontInGo} {
		t.Run(kind, func(t *testing.T) {
			front, _ := faultyFront(t, kind)
			rt := Runc(t)
			rt = rt.Behind(rt.Name, front, "--real-runtime", rt.Argv[0])
			b := NewBundle(t, denying(t), Capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE"))
			b.Spec.Linux.Namespaces = deleteNamespace(b.Spec.Linux.Namespaces, specs.PIDNamespace)
			probe := b.Install(Probe.Path(t))
			gate := filepath.Join(b.Dir, "rootfs/gate")
			must(t, unix.Mkfifo(gate, 0o600))
			b.Spec.Process.Args = []string{"/bin/sh", "-c", fmt.Sprintf("exec 5</proc/%d/ns/mnt; read line </gate; exec %s %s say moved pause",
				os.Getpid(), probe, strings.Join(call(unix.SYS_SETNS, 5, unix.CLONE_NEWNS), " "))}
			c := b.Create(rt)
			c.Start()

			mark := c.ID + "-doubtful"
			cmd := c.command("exec", c.ID, "/bin/echo", "unfiltered")
			cmd.Env = append(os.Environ(), fmt.Sprintf("SECCOMP_HOOK_RUNTIME_FAULT=%d %d %s", runtime.StepBecome, unix.SIGSTOP, mark))
			done := make(chan Result, 1)
			go func() { done <- run(t, cmd) }()
			var stopped []int
			Eventually(t, "the exec has its filter, and is not the runtime yet", func() bool {
				stopped = stoppedOf(mark, "Tt")
				return len(stopped) > 0
			})
			must(t, os.WriteFile(gate, []byte("\n"), 0))
			Eventually(t, "init goes to the host's mount namespace", func() bool { return strings.Contains(c.Output(), "moved") })
			for _, pid := range stopped {
				must(t, unix.Kill(pid, unix.SIGCONT))
			}
			if r := <-done; r.Code == 0 || r.Stdout != "" || !strings.Contains(c.Output(), fmt.Sprintf("call %d: 0\n", unix.SYS_SETNS)) {
				t.Errorf("%s\ninit says %s", r, c.Output())
			}
		})
	}
}

// deleteNamespace takes a kind of namespace out of a list.
func deleteNamespace(list []specs.LinuxNamespace, kind specs.LinuxNamespaceType) (kept []specs.LinuxNamespace) {
	for _, n := range list {
		if n.Type != kind {
			kept = append(kept, n)
		}
	}
	return kept
}
