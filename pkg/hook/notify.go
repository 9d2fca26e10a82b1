package hook

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
)

// agentTimeout bounds how long an agent that does not read can hold up a
// container.
const agentTimeout = 10 * time.Second

// Notify hands a listener to the profile's agent: over the AF_UNIX stream
// socket at the listener's path, the ContainerProcessState with the file
// descriptor as the first and only one (runtime-spec, config-linux.md,
// "Container Process State"; runc, libcontainer, sendContainerProcessState).
// pid is the process that the filter is on.
func Notify(l *filter.Listener, listener *os.File, state *specs.State, pid int) error {
	text, err := json.Marshal(specs.ContainerProcessState{
		Version:  specs.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      pid,
		Metadata: l.Metadata,
		State:    *state,
	})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	conn, err := net.DialTimeout("unix", l.Path, agentTimeout)
	if err != nil {
		return fmt.Errorf("notify: failed to connect with seccomp agent: %w", err) // runc's words
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return fmt.Errorf("notify: agent %s: %w", l.Path, err)
	}
	n, oob, err := conn.(*net.UnixConn).WriteMsgUnix(text, unix.UnixRights(int(listener.Fd())), nil)
	if err == nil && (n != len(text) || oob == 0) {
		err = fmt.Errorf("%d of %d bytes taken", n, len(text))
	}
	if err != nil {
		return fmt.Errorf("notify: agent %s: %w", l.Path, err)
	}
	return nil
}
