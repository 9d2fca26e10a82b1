//go:build linux

package install

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Where nothing can be read, no byte was: not -1, as the system call says.
func TestReadMemoryOfNothing(t *testing.T) {
	ended := exec.Command("/proc/self/exe", "-test.run", "^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pid  int
		want unix.Errno
	}{
		"not mapped":    {os.Getpid(), unix.EFAULT},
		"process ended": {ended.Process.Pid, unix.ESRCH},
	} {
		p := &process{pid: c.pid}
		if n, err := p.readMemory(8, make([]byte, 8)); n != 0 || err != c.want {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
