package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
)

// TestNotifyAgentStopped: an agent that takes no connection any more is an error at
// once, and nothing is waited for. One that takes it and does not read is as good as
// another: the message is in its socket.
func TestNotifyAgentStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	must(t, unix.Listen(fd, 0))
	listener, err := os.Open("/dev/null") // any descriptor will do
	must(t, err)
	defer listener.Close()
	const enough = 10 // more than the socket has room for
	for range enough {
		if err = Notify(&filter.Listener{Path: path}, listener, &specs.State{}, 1); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "failed to connect with seccomp agent") {
		t.Errorf("%v", err)
	}
}
