//go:build linux

package orphan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// eachWay runs a test with both ways to start a process.
func eachWay(t *testing.T, test func(t *testing.T)) {
	t.Run("spawn", func(t *testing.T) {
		if spawner == nil {
			t.Skip("no spawner for this architecture")
		}
		test(t)
	})
	t.Run("fork", func(t *testing.T) {
		defer func(program []byte) { spawner = program }(spawner)
		spawner = nil
		test(t)
	})
}

// The process has the files it was given, no output of ours, a session of its
// own, and another parent.
func TestStart(t *testing.T) { eachWay(t, testStart) }

func testStart(t *testing.T) {
	sh := "/bin/sh"
	if _, err := os.Stat(sh); err != nil {
		t.Skip(err)
	}
	r, w := pipe(t)
	const script = `echo "$A" >&3; cat <&4 >&3; cut -d" " -f4,6 /proc/$$/stat >&3; (readlink /proc/$$/fd/5 || echo none) >&3; echo $$ >&3`
	in, feed := pipe(t)
	if _, err := feed.WriteString("fed\n"); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := Start(sh, []string{"sh", "-c", script}, []string{"A=environment", "PATH=/usr/bin:/bin"}, int(w.Fd()), int(in.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	if len(words) != 6 {
		t.Fatalf("said %q", text)
	}
	if words[0] != "environment" || words[1] != "fed" || words[4] != "none" {
		t.Errorf("said %q", text)
	}
	if parent, session, self := words[2], words[3], words[5]; session != self || parent == strconv.Itoa(os.Getpid()) {
		t.Errorf("parent %s, session %s of process %s", parent, session, self)
	}
	// There is no child left to wait for.
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("wait4: %v", err)
	}
}

// That the program is not there shows by the files.
func TestStartNoProgram(t *testing.T) { eachWay(t, testStartNoProgram) }

func testStartNoProgram(t *testing.T) {
	r, w := pipe(t)
	if err := Start("/nonexistent", []string{"x"}, nil, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if text, err := io.ReadAll(r); err != nil || len(text) != 0 {
		t.Errorf("read %q, %v", text, err)
	}
}

func TestStartBadFile(t *testing.T) {
	if err := Start("/bin/true", nil, nil, 1<<20); err == nil {
		t.Error("no error")
	}
	if err := Start("a\x00b", nil, nil); err == nil {
		t.Error("no error")
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// This executable can be started by its name in /proc, and its program has no
// descriptor of it.
func TestStartSelf(t *testing.T) { eachWay(t, testStartSelf) }

func testStartSelf(t *testing.T) {
	r, w := pipe(t)
	if err := Start(self, []string{"orphan-self"}, nil, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	own, err := os.Readlink(self)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if want := own + "\n"; err != nil || string(text) != want {
		t.Errorf("said %q, want %q (%v)", text, want, err)
	}
}

func TestMain(m *testing.M) {
	if os.Args[0] == "orphan-self" {
		out := os.NewFile(FirstFile, "out")
		exe, _ := os.Readlink(self)
		fmt.Fprintln(out, exe)
		for fd := range 64 {
			if target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && target == exe {
				fmt.Fprintln(out, "has descriptor", fd)
			}
		}
		os.Exit(0)
	}
	if os.Args[0] == "orphan-inherited" {
		out := os.NewFile(FirstFile, "out")
		err := deadlines() // from here on the Go runtime has its poller
		err = errors.Join(err, CloseInherited(FirstFile+1), deadlines())
		_, statErr := os.Stat("/proc/self/fd/" + os.Args[1])
		fmt.Fprintln(out, err, errors.Is(statErr, fs.ErrNotExist))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// deadlines asks the Go runtime's poller for something.
func deadlines() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	return r.SetReadDeadline(time.Now())
}

// A process can close what it was started with, and still has what its Go runtime
// has opened.
func TestCloseInherited(t *testing.T) {
	r, w := pipe(t)
	// dup(2) clears close-on-exec, so the process inherits it.
	extra, err := unix.Dup(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(extra)
	if err := Start(self, []string{"orphan-inherited", strconv.Itoa(extra)}, nil, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "<nil> true\n" {
		t.Errorf("said %q, %v", text, err)
	}
}

// The program that is built in is what its source says.
func TestSpawnerIsCurrent(t *testing.T) {
	if spawner == nil {
		t.Skip("no spawner for this architecture")
	}
	for _, tool := range []string{"gcc", "ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	object, program := t.TempDir()+"/a.o", t.TempDir()+"/a"
	for _, argv := range [][]string{
		{"gcc", "-c", "-o", object, "spawn/spawn_amd64.S"},
		{"ld", "--oformat", "binary", "-e", "0x400000", "-Ttext", "0x400000", "-o", program, object},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
	}
	built, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(built, spawner) {
		t.Error("spawn/spawn_amd64.bin is stale: go generate ./pkg/install/orphan")
	}
}

// BenchmarkStart compares the two ways.
func BenchmarkStart(b *testing.B) {
	run := func(b *testing.B) {
		for b.Loop() {
			if err := Start("/bin/true", []string{"true"}, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("spawn", run)
	b.Run("fork", func(b *testing.B) {
		defer func(program []byte) { spawner = program }(spawner)
		spawner = nil
		run(b)
	})
}
