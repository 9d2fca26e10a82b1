//go:build integration

package integration

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/runtime"
)

var everyHandOver = flag.Bool("every-hand-over", false, "kill the process itself and the shim at each step in TestContainerdListener, and not in turn")

// notified are the steps around the hand-over of a listener: before there is one, as
// the installer has it, when the agent has it, and until the program runs.
func notified(front string) (list []fault) {
	add := func(command, kind string, step fmt.Stringer, number int) {
		list = append(list, fault{fmt.Sprintf("%s, %s", command, step), front, command, step, kind == "runtime", number})
	}
	for _, step := range []install.Step{install.StepAttach, install.StepListener, install.StepReport, install.StepExec} {
		add("create", "install", step, int(step))
	}
	for _, step := range []runtime.Step{runtime.StepFinish, runtime.StepGiveBack, runtime.StepAnswer, runtime.StepReturn} {
		add("create", "runtime", step, int(step))
	}
	for _, step := range []install.Step{install.StepReport, install.StepExec, install.StepRelease} {
		add("exec", "install", step, int(step))
	}
	add("exec", "runtime", runtime.StepBecome, int(runtime.StepBecome))
	return list
}

// TestContainerdListener kills, at each step of the hand-over of a listener, the
// process that comes to it, and the shim. Then the program does not run, or the agent
// decides on its calls, or nobody does and they fail. Each listener that the agent gets
// has an end.
func TestContainerdListener(t *testing.T) {
	f := startFaulty(t)
	for turn, victim := range []string{"itself", "the shim"} {
		for i, x := range notified(frontsInTurn[turn]) {
			if !*everyHandOver && i%2 != turn {
				continue
			}
			t.Run(victim+", "+x.name, func(t *testing.T) {
				d := f.In(t)
				agent, flags := startAgent(t)
				signal := unix.SIGKILL
				if victim == "the shim" {
					signal = unix.SIGSTOP
				}
				id := d.NewID()
				result := make(chan Result, 1)
				if x.command == "create" {
					f.set(t, x, signal)
					go func() { result <- d.Ctr(d.container([]string{"run", "--rm"}, flags, id, look)...) }()
				} else {
					d.MustCtr(d.container([]string{"run", "--detach", "--null-io"}, flags, id, []string{"/bin/sleep", "1000"})...)
					f.set(t, x, signal)
					go func() { result <- d.Exec(id, look...) }()
				}
				r := f.killShim(t, d, id, result, signal == unix.SIGSTOP)
				// Without an agent, whose listener was closed, the call fails as well.
				got, ran := r.Lines()["call 135"]
				if ran && (got != strconv.Itoa(-notifyErrno) && got != strconv.Itoa(-int(unix.ENOSYS)) || r.Lines()["Seccomp"] != "2") {
					t.Errorf("ran without its filter: %s", r)
				}
				d.Ctr("tasks", "delete", "--force", id)
				f.wantGone(t, d, id)
				agent.end(t)
			})
		}
	}
}

// manyAgent answers the calls of all processes whose listeners it gets.
type manyAgent struct {
	socket *net.UnixListener
	served chan struct{}
}

// startAgent returns an agent, and ctr's flags for a profile that has it decide on
// personality(2).
func startAgent(t *testing.T) (*manyAgent, []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // a socket's path is short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	path, profile := filepath.Join(dir, "s"), filepath.Join(dir, "profile.json")
	must(t, os.WriteFile(profile, []byte(fmt.Sprintf(`{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": %q,
		"syscalls": [{"names": ["personality"], "action": "SCMP_ACT_NOTIFY"}]}`, path)), 0o600))
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	must(t, err)
	a := &manyAgent{socket, make(chan struct{})}
	go func() {
		defer close(a.served)
		var all sync.WaitGroup
		defer all.Wait()
		for {
			conn, err := socket.AcceptUnix()
			if err != nil {
				return
			}
			all.Go(func() {
				var state specs.ContainerProcessState
				// Whoever hands it over may be killed before, and the container later.
				if listener, err := receive(conn, &state); err == nil {
					_ = answer(listener)
					_ = unix.Close(listener)
				}
			})
		}
	}()
	return a, []string{"--seccomp", "--seccomp-profile", profile}
}

// end waits until all listeners have come to their end.
func (a *manyAgent) end(t *testing.T) {
	t.Helper()
	must(t, a.socket.Close())
	Eventually(t, "the end of all listeners", func() bool {
		select {
		case <-a.served:
			return true
		default:
			return false
		}
	})
}
