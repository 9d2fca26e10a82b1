//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watchReport is what `watch --json` prints, as far as the tests look.
type watchReport struct {
	Profile string
	Calls   []watchedCall
	Lost    struct{ Counts, Samples, Processes uint64 }
}

type watchedCall struct {
	Call                                     string
	Calls, Cached, Ran, Instructions, Denied uint64
	Verdicts                                 []struct {
		Action string
		Calls  uint64
		Rules  []string
	}
}

// gated makes the program of a bundle wait until something is written to a FIFO,
// and then be the victim with these arguments. It returns the FIFO.
func gated(b *Bundle, args ...string) string {
	b.t.Helper()
	fifo := filepath.Join(b.Dir, "rootfs", "gate")
	must(b.t, unix.Mkfifo(fifo, 0o600))
	script := "read line < /gate; exec " + b.Spec.Process.Args[0] + " " + strings.Join(args, " ")
	b.Spec.Process.Args = []string{"/bin/sh", "-c", script}
	return fifo
}

// release lets a gated program go on.
func release(t *testing.T, fifo string) {
	t.Helper()
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("go\n")
	must(t, err)
	must(t, f.Close())
}

// watcher is a running `seccomp-hook watch`, attached.
type watcher struct {
	cmd *exec.Cmd
	out bytes.Buffer
	err *bufio.Reader
}

func startWatch(t *testing.T, args ...string) *watcher {
	t.Helper()
	w := &watcher{cmd: command(t, Product(t, "seccomp-hook"), args...)}
	w.cmd.Stdout = &w.out
	stderr, err := w.cmd.StderrPipe()
	must(t, err)
	must(t, w.cmd.Start())
	w.err = bufio.NewReader(stderr)
	said := ""
	for {
		line, err := w.err.ReadString('\n')
		if err != nil {
			t.Fatalf("seccomp-hook %v: %s%s, %v", args, said, line, w.cmd.Wait())
		}
		if strings.Contains(line, "counting the calls") || strings.Contains(line, "recording the calls") {
			return w
		}
		said += line
	}
}

// wait returns what a watch has printed, when it has ended.
func (w *watcher) wait(t *testing.T) string {
	t.Helper()
	rest := new(bytes.Buffer)
	_, _ = rest.ReadFrom(w.err)
	if err := w.cmd.Wait(); err != nil {
		t.Fatalf("%v: %v: %s", w.cmd.Args, err, rest)
	}
	return w.out.String()
}

// known are the calls that the tests' program makes.
var known = []string{"call", "124", "call", "124", "call", "124", "call", "250", "1", "call", "250", "2", "call", "135", "8", "call", "135", "9", "exit", "0"}

// TestWatchContainer: of the calls that a container makes each is counted, and
// the denied ones have the rule of the profile.
func TestWatchContainer(t *testing.T) {
	h := newHooked(t, "createRuntime", "builtin:docker", WithVictim(Probe))
	gate := gated(h.Bundle, known...)
	c := h.Create(Runc(t))
	c.Start()
	waitReleased(t, c.PID())
	w := startWatch(t, "watch", c.ID, "--root", h.root, "--json")
	lines := startWatch(t, "watch", "--pid", strconv.Itoa(c.PID()), "--root", h.root, "--denials", "--profile", "builtin:docker")
	release(t, gate)
	var r watchReport
	must(t, json.Unmarshal([]byte(w.wait(t)), &r))
	if r.Profile != "builtin:docker" || r.Lost.Counts+r.Lost.Processes != 0 {
		t.Errorf("%+v", r)
	}
	for _, want := range []struct{ name, counts string }{
		{"x86_64:getsid", "3: cached 3, ran 0, denied 0"},
		{"x86_64:keyctl", "2: cached 0, ran 0, denied 2: ERRNO(1) 2 [default action]"},
		{"x86_64:personality", "2: cached 0, ran 1, denied 1: ERRNO(1) 1 [default action]"},
		{"x86_64:execve", "1: cached 1, ran 0, denied 0"},
		{"x86_64:exit_group", "1: cached 1, ran 0, denied 0"},
	} {
		i := slices.IndexFunc(r.Calls, func(c watchedCall) bool { return c.Call == want.name })
		if i < 0 {
			t.Errorf("%s is not there", want.name)
			continue
		}
		got := r.Calls[i]
		text := fmt.Sprintf("%d: cached %d, ran %d, denied %d", got.Calls, got.Cached, got.Ran, got.Denied)
		for _, v := range got.Verdicts {
			text += fmt.Sprintf(": %s %d %v", v.Action, v.Calls, v.Rules)
		}
		if text != want.counts {
			t.Errorf("%s: %s, want %s", want.name, text, want.counts)
		}
		if (got.Instructions > 0) != (got.Cached != got.Calls) {
			t.Errorf("%s: %+v", want.name, got)
		}
	}
	denied := lines.wait(t)
	for _, want := range []string{"keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0): ERRNO(1): default action", "keyctl(KEYCTL_UPDATE, 0): ERRNO(1): default action", "personality(0x9): ERRNO(1): default action"} {
		if strings.Count(denied, want) != 1 {
			t.Errorf("no line with %q in\n%s", want, denied)
		}
	}
}

// TestWatchNative: of a container that is the runtime's alone, with a filter by
// libseccomp, rules are the program's own, or those of a profile that is proved
// to say the same.
func TestWatchNative(t *testing.T) {
	b := NewBundle(t, WithVictim(Probe), Seccomp(deny("keyctl")))
	gate := gated(b, known...)
	c := b.Create(RuncDebian(t))
	c.Start()
	config := filepath.Join(b.Dir, "config.json")
	pid := strconv.Itoa(c.PID())
	own := startWatch(t, "watch", "--pid", pid)
	profile := startWatch(t, "watch", "--pid", pid, "--profile", config)
	release(t, gate)
	if text := own.wait(t); !strings.Contains(text, "keyctl: ERRNO(1), denied 2 times: filter 0, instruction ") {
		t.Error(text)
	}
	if text := profile.wait(t); !strings.Contains(text, "keyctl: ERRNO(1), denied 2 times: rule 0") {
		t.Error(text)
	}
}

// TestWatchLeavesNothing: when the command is killed, nothing of it is left at
// the kernel's tracepoints.
func TestWatchLeavesNothing(t *testing.T) {
	b := NewBundle(t, WithVictim(Probe, "pause"))
	c := b.Create(Runc(t))
	c.Start()
	before := watchLinks(t)
	w := startWatch(t, "watch", "--pid", strconv.Itoa(c.PID()))
	if got := watchLinks(t); got != before+2 {
		t.Errorf("%d links, where there were %d", got, before)
	}
	must(t, w.cmd.Process.Kill())
	_ = w.cmd.Wait()
	unlinked(t, before)
}

// unlinked waits until there are no more links than before. The last reference is
// gone when the process is; the kernel frees what it held a moment later.
func unlinked(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if watchLinks(t) <= before {
			return
		}
		MustCommand(t, "sleep", "0.1")
	}
	t.Errorf("%d links are left, there were %d", watchLinks(t), before)
}

// watchLinks counts the programs that are attached to tracepoints by a link
// (BPF_LINK_GET_NEXT_ID).
func watchLinks(t *testing.T) int {
	t.Helper()
	n := 0
	for id := uint32(0); ; n++ {
		attr := struct{ start, next, flags uint32 }{start: id}
		if err := bpfCall(unix.BPF_LINK_GET_NEXT_ID, &attr); err != nil {
			return n
		}
		id = attr.next
	}
}

// bpfCall makes a bpf(2) call.
func bpfCall[T any](command uintptr, attr *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr)); errno != 0 {
		return errno
	}
	return nil
}
