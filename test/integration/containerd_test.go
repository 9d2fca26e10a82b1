//go:build integration

package integration

import (
	"syscall"
	"testing"
)

// TestContainerdRun runs containers under the shim with each daemon.
func TestContainerdRun(t *testing.T) {
	for _, v := range Daemons(t) {
		t.Run(v.Name, func(t *testing.T) {
			d := StartDaemon(t, v, "")
			t.Run("seccomp", func(t *testing.T) {
				wantFiltered(t, d.In(t).Run([]string{"--seccomp"}, look...), syscall.EPERM)
			})
			t.Run("no profile", func(t *testing.T) {
				wantUnfiltered(t, d.In(t).Run(nil, look...))
			})
			t.Run("exec", func(t *testing.T) {
				d := d.In(t)
				id := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
				wantFiltered(t, d.Exec(id, look...), syscall.EPERM)
				d.Remove(id)
			})
		})
	}
}
