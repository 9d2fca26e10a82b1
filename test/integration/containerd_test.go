//go:build integration

package integration

import (
	"syscall"
	"testing"
)

// TestContainerdRun runs containers under the shim with each daemon.
func TestContainerdRun(t *testing.T) {
	for _, v := range daemonVersions(t) {
		t.Run(v.name, func(t *testing.T) {
			d := startDaemon(t, v)
			t.Run("seccomp", func(t *testing.T) {
				wantFiltered(t, d.in(t).run([]string{"--seccomp"}, look...), syscall.EPERM)
			})
			t.Run("no profile", func(t *testing.T) {
				wantUnfiltered(t, d.in(t).run(nil, look...))
			})
			t.Run("exec", func(t *testing.T) {
				d := d.in(t)
				id := d.detached([]string{"--seccomp"}, "/bin/sleep", "1000")
				wantFiltered(t, d.exec(id, look...), syscall.EPERM)
				d.remove(id)
			})
		})
	}
}
