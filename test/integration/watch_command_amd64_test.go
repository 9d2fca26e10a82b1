//go:build integration

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// lifeProgram denies clone3.
var lifeProgram = bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, unix.SYS_CLONE3, 0, 1), bpf.Ret(bpf.Errno(1)), bpf.Ret(bpf.RetAllow)}

// terminal returns both ends of a new one.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { ours.Close() })
	must(t, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	must(t, err)
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	return ours, theirs
}

// TestWatchTerminal: in a terminal the table is written anew while the container
// runs, and else once.
func TestWatchTerminal(t *testing.T) {
	l := startLife(t, lifeProgram)
	pid := strconv.Itoa(l.cmd.Process.Pid)
	ours, theirs := terminal(t)
	live := command(t, Product(t, "seccomp-hook"), "watch", "--pid", pid, "--top", "2")
	live.Stdout, live.Stderr = theirs, theirs
	must(t, live.Start())
	theirs.Close()
	piped := startWatch(t, "watch", "--pid", pid, "--top", "2")

	const clear = "\x1b[H\x1b[2J"
	text := ""
	read := func() bool {
		var b [4096]byte
		n, err := ours.Read(b[:]) // EIO at the end
		text += string(b[:n])
		return err == nil
	}
	for strings.Count(text, clear) < 2 && read() {
	}
	l.live()
	for read() {
	}
	if err := live.Wait(); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if n := strings.Count(text, clear); n < 2 {
		t.Errorf("written anew %d times", n)
	}
	once := piped.wait(t)
	for where, got := range map[string]string{"terminal": text[strings.LastIndex(text, clear):], "pipe": once} {
		for _, want := range []string{" kill", " rt_sigreturn", " clone3", "more", "clone3: ERRNO(1), denied 1 times: filter 0, instruction 2", "from the kernel's cache", "instructions a second", " 1 denied"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", where, want, got)
			}
		}
		if strings.Contains(got, " execve") { // which is not among the two
			t.Errorf("%s: more than the top:\n%s", where, got)
		}
	}
	if strings.Contains(once, "\x1b") || strings.Count(once, " rt_sigreturn") != 1 {
		t.Errorf("more than one table in a pipe:\n%s", once)
	}
}

// TestWatchFor: a watch ends when it was asked to, and the program goes on.
func TestWatchFor(t *testing.T) {
	l := startLife(t, lifeProgram)
	began := time.Now()
	w := startWatch(t, "watch", "--pid", strconv.Itoa(l.cmd.Process.Pid), "--for", "1s", "--json")
	var r struct {
		Version int
		Seconds float64
	}
	must(t, json.Unmarshal([]byte(w.wait(t)), &r))
	if r.Version != 1 || r.Seconds < 1 || time.Since(began) < time.Second {
		t.Errorf("%+v", r)
	}
	l.live()
}

// TestWatchCgroup: the processes of a cgroup are watched, until it is empty.
func TestWatchCgroup(t *testing.T) {
	mount := ""
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			mount = dir
			break
		}
	}
	if mount == "" {
		t.Skip("there is no cgroup v2")
	}
	name := fmt.Sprintf("seccomp-hook-test-%d", os.Getpid())
	dir := filepath.Join(mount, name)
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { must(t, os.Remove(dir)) })
	l := startLife(t, lifeProgram)
	if text := refusedWatch(t, "--cgroup", name); !strings.Contains(text, "no process is in it") {
		t.Error(text)
	}
	must(t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(l.cmd.Process.Pid)), 0))
	// Another one of the same name, elsewhere, has none of them.
	other := filepath.Join(mount, name+"-other")
	for _, dir := range []string{other, filepath.Join(other, name)} {
		must(t, os.Mkdir(dir, 0o755))
		t.Cleanup(func() { must(t, os.Remove(dir)) })
	}
	if text := refusedWatch(t, "--cgroup", filepath.Join(name+"-other", name)); !strings.Contains(text, "no process is in it") {
		t.Error(text)
	}
	w := startWatch(t, "watch", "--cgroup", name, "--json")
	l.live()
	var r watchReport
	must(t, json.Unmarshal([]byte(w.wait(t)), &r))
	for name, want := range map[string]uint64{"kill": 5, "execve": 3, "exit": 2, "exit_group": 2, "clone3": 1, "rt_sigreturn": 5} {
		i := slices.IndexFunc(r.Calls, func(c watchedCall) bool { return c.Call == "x86_64:"+name })
		if i < 0 || r.Calls[i].Calls != want {
			t.Errorf("%s: want %d in %+v", name, want, r.Calls)
		}
	}
}

// refusedWatch is what a watch says that must fail.
func refusedWatch(t *testing.T, args ...string) string {
	t.Helper()
	return refusedBy(t, append([]string{Product(t, "seccomp-hook"), "watch"}, args...)...)
}

func refusedBy(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := command(t, argv[0], argv[1:]...).CombinedOutput()
	if err == nil {
		t.Errorf("%v: no error", argv)
	}
	return string(out)
}

// TestWatchRefuses: what cannot be is said, and nothing is left in the kernel.
func TestWatchRefuses(t *testing.T) {
	l := startLife(t, lifeProgram)
	pid := strconv.Itoa(l.cmd.Process.Pid)
	before := watchLinks(t)
	gone := exec.Command("/bin/true")
	must(t, gone.Run())
	const failed, wrongUsage = 1, 64
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"watch"}, wrongUsage, "one of ID, --pid and --cgroup is needed"},
		{[]string{"watch", "box", "--pid", pid}, wrongUsage, "one of ID, --pid and --cgroup is needed"},
		{[]string{"watch", "nobody-knows-it"}, failed, "no such container"},
		{[]string{"watch", "../box"}, failed, "is not the id of a container"},
		{[]string{"watch", "--pid", strconv.Itoa(gone.Process.Pid)}, failed, "no such thread"},
		{[]string{"watch", "--pid", "-1"}, wrongUsage, "--pid -1: it must be more than 0"},
		{[]string{"watch", "--cgroup", "/proc"}, failed, "no such directory of cgroup v2"},
		{[]string{"watch", "--cgroup", "/nonexistent"}, failed, "no such directory of cgroup v2"},
		{[]string{"watch", "--pid", pid, "--for", "soon"}, wrongUsage, "invalid"},
		{[]string{"watch", "--pid", pid, "--for", "0"}, wrongUsage, "--for 0s: it must be more than 0"},
		{[]string{"watch", "--pid", pid, "--top", "-1"}, wrongUsage, "--top -1: it must be more than 0"},
		{[]string{"watch", "--pid", pid, "--profile", "/nonexistent.json"}, failed, "/nonexistent.json: no such file"},
		{[]string{"watch", "--pid", pid, "--profile", "builtin:nothing"}, failed, "no such builtin"},
		{[]string{"watch", "--pid", pid, "--weights", "/nonexistent/weights"}, failed, "/nonexistent/weights: no such file"},
		{[]string{"watch", "--pid", pid, "--weights", "/proc"}, failed, "/proc: is a directory"},
		{[]string{"record"}, wrongUsage, "one of ID, --pid and -- COMMAND is needed"},
		{[]string{"record", "box", "--pid", pid}, wrongUsage, "one of ID, --pid and -- COMMAND is needed"},
		{[]string{"record", "nobody-knows-it"}, failed, "no such container"},
		{[]string{"record", "--pid", pid, "--for", "-1s"}, wrongUsage, "--for -1s: it must be more than 0"},
		{[]string{"record", "--pid", pid, "--output", "/nonexistent/profile.json"}, failed, "/nonexistent/profile.json: no such file"},
		{[]string{"record", "--pid", pid, "--output", "/proc"}, failed, "/proc: is a directory"},
		{[]string{"record", "--base", "/nonexistent.json", "--", "/bin/true"}, failed, "/nonexistent.json: no such file"},
		{[]string{"record", "--", "/nonexistent"}, failed, "/nonexistent: no such file"},
	} {
		if r := Command(t, Product(t, "seccomp-hook"), test.args...); r.Code != test.code || !strings.Contains(r.Stderr, test.want) || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%v: %s; want %d, %q", test.args, r, test.code, test.want)
		}
	}
	// Who is not root is told so, and what cannot be recorded does not run.
	ran := filepath.Join(t.TempDir(), "ran")
	must(t, os.Chmod(filepath.Dir(ran), 0o777))
	must(t, os.Chmod(filepath.Dir(filepath.Dir(ran)), 0o755))
	for _, test := range []struct{ args, want string }{
		{"watch --pid " + pid, "it takes root"},
		{"record --pid " + pid, "it takes root"},
		{"record -- /bin/touch " + ran, "it takes CAP_BPF and CAP_PERFMON"},
	} {
		argv := append([]string{"--reuid", "1000", "--regid", "1000", "--clear-groups", Product(t, "seccomp-hook")}, strings.Fields(test.args)...)
		if r := Command(t, "setpriv", argv...); r.Code != failed || !strings.Contains(r.Stderr, test.want) {
			t.Errorf("%s: %s; want %q", test.args, r, test.want)
		}
	}
	if _, err := os.Stat(ran); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a command ran without being recorded: %v", err)
	}
	for _, drop := range []string{"-sys_admin,-bpf,-perfmon", "-sys_admin,-perfmon", "-sys_admin,-bpf"} {
		text := refusedBy(t, "setpriv", "--bounding-set", drop, "--inh-caps", "-all", Product(t, "seccomp-hook"), "watch", "--pid", pid)
		if !strings.Contains(text, "permission denied") && !strings.Contains(text, "operation not permitted") {
			t.Errorf("without %s: %s", drop, text)
		}
	}
	if got := watchLinks(t); got != before {
		t.Errorf("%d links are left", got-before)
	}
	l.live()
}

// TestWatchEnds: whatever ends a watch, nothing of it is left in the kernel; also if
// it is the watched process that is killed, which is no error.
func TestWatchEnds(t *testing.T) {
	l := startLife(t, lifeProgram)
	pid := strconv.Itoa(l.cmd.Process.Pid)
	before := watchLinks(t)
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGHUP, unix.SIGINT} {
		w := startWatch(t, "watch", "--pid", pid)
		if watchLinks(t) <= before {
			t.Error("nothing is attached")
		}
		must(t, w.cmd.Process.Signal(sig))
		_ = w.cmd.Wait() // it says how it was ended
		unlinked(t, before)
	}
	w := startWatch(t, "watch", "--pid", pid)
	must(t, l.cmd.Process.Kill())
	if text := w.wait(t); !strings.Contains(text, "0 denied") {
		t.Error(text)
	}
	unlinked(t, before)
}
