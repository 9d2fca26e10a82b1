//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// agent is what listens for a container's notifications.
type agent struct {
	socket *net.UnixListener
	got    chan error // the first and only connection is dealt with
	state  specs.ContainerProcessState
}

// notifyErrno is what the agent answers to a call.
const notifyErrno = 55

// newAgent answers the calls of one process until that has ended.
func newAgent(t *testing.T, path string) *agent {
	t.Helper()
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	must(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	a := &agent{socket: socket, got: make(chan error, 1)}
	go func() { a.got <- a.serve() }()
	return a
}

func (a *agent) serve() error {
	conn, err := a.socket.AcceptUnix()
	if err != nil {
		return err
	}
	listener, err := receive(conn, &a.state)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	return answer(listener)
}

// receive takes a listener from a connection.
func receive(conn *net.UnixConn, state *specs.ContainerProcessState) (listener int, err error) {
	defer conn.Close()
	text, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, oob)
	if err != nil {
		return -1, err
	}
	if err := json.Unmarshal(text[:n], state); err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("%d control messages, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("descriptors %v, %w", fds, err)
	}
	return fds[0], nil
}

// answer has each call of the listener fail with notifyErrno, until no process
// has the filter any more (POLLHUP).
func answer(listener int) error {
	for {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return err
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil
		}
		var call struct { // struct seccomp_notif
			id         uint64
			pid, flags uint32
			data       [64]byte
		}
		const recv, send = 0xc0502100, 0xc0182101 // SECCOMP_IOCTL_NOTIF_RECV, _SEND
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), recv, uintptr(unsafe.Pointer(&call))); errno == unix.ENOENT {
			continue // the process was killed meanwhile
		} else if errno != 0 {
			return fmt.Errorf("receive: %w", errno)
		}
		response := struct { // struct seccomp_notif_resp
			id    uint64
			value int64
			errno int32
			flags uint32
		}{id: call.id, errno: -notifyErrno}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), send, uintptr(unsafe.Pointer(&response))); errno != 0 && errno != unix.ENOENT {
			return fmt.Errorf("send: %w", errno)
		}
	}
}

// TestHookNotify: the listener of a profile with SCMP_ACT_NOTIFY goes to the
// agent with the container's state, the agent's answers come to the container,
// and nothing of it is left in the container's table of descriptors.
func TestHookNotify(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		probe := append(call(nrUnshare), call(nrUnshare)...)
		plain := newHooked(t, "createRuntime", "", Args("/bin/ls", "/proc/self/fd"))
		h := newHooked(t, "createRuntime", "deny.json")
		h.Spec.Process.Args = []string{"/bin/sh", "-c", strings.Join(append([]string{h.Install(Probe.Path(t))}, probe...), " ") + "; ls /proc/self/fd"}
		socket := filepath.Join(h.Dir, "agent.sock")
		h.profile(t, fmt.Sprintf(`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":%q,"listenerMetadata":"mine",
			"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_NOTIFY"}]}`, socket))
		a := newAgent(t, socket)
		got := h.Run(rt)
		if got.Code != 0 {
			t.Fatalf("%s\n%s", got, h.logged())
		}
		must(t, <-a.got)
		want := strings.Repeat(fmt.Sprintf("call %d: %d\n", nrUnshare, -notifyErrno), 2) + plain.Run(rt).Stdout
		if got.Stdout != want {
			t.Errorf("the container says\n%s\nwant\n%s", got.Stdout, want)
		}
		id := h.ids[len(h.ids)-1]
		if a.state.Metadata != "mine" || a.state.State.ID != id || a.state.Pid != a.state.State.Pid || len(a.state.Fds) != 1 || a.state.Fds[0] != specs.SeccompFdName {
			t.Errorf("the agent got %+v", a.state)
		}
	})
}
