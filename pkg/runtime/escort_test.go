//go:build linux

package runtime

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
)

// The test binary is also the escort, and, under this name, a process that is
// escorted into the container of a process.
const escortedArg0 = "test-escorted"

func TestMain(m *testing.M) {
	if code, ours := Main(os.Args); ours {
		os.Exit(code)
	}
	if os.Args[0] == escortedArg0 {
		if err := escortThreads(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// escortThreads has this process escorted while it starts threads without end, and
// needs each of them: a collection of garbage waits for all that run.
func escortThreads(init string) error {
	pid, err := strconv.Atoi(init)
	if err != nil {
		return err
	}
	for range 4 {
		go func() {
			for {
				ended := make(chan bool)
				go func() {
					runtime.LockOSThread() // the thread ends with its goroutine
					close(ended)
				}()
				<-ended
				runtime.GC()
			}
		}()
	}
	f := &filter.Filter{
		Program: bpf.Program{
			bpf.Load(bpf.OffNr),
			bpf.Jump(bpf.JEQ, unix.SYS_PERSONALITY, 0, 1),
			bpf.Ret(bpf.RetUserNotif),
			bpf.Ret(bpf.RetAllow),
		},
		Listener: &filter.Listener{Path: "/nonexistent"},
	}
	installable, err := hook.Installable(f)
	if err != nil {
		return err
	}
	w := &wrapper{Invocation: &Invocation{ID: "escorted"}}
	return w.escorted(&container{init: hook.Init{PID: pid}}, f, install.ExecRequest{Filter: installable, Container: pid})
}

// TestEscortThreads: a process that starts threads while it is escorted is not
// held up. Each of its new threads waits for the escort, which waits for the
// listener, which the process hands over.
func TestEscortThreads(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can suspend a filter")
	}
	init := exec.Command("sleep", "1000")
	init.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := init.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = init.Process.Kill()
		_ = init.Wait()
	}()
	for range 5 {
		cmd := exec.Command("/proc/self/exe", strconv.Itoa(init.Process.Pid))
		cmd.Args[0] = escortedArg0
		said, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = said // a file: the escort has it, too
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		hung := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		text, _ := os.ReadFile(said.Name())
		if !hung.Stop() || err != nil {
			t.Fatalf("%v, in time: %v, says %q", err, hung.Stop(), bytes.TrimSpace(text))
		}
	}
}
