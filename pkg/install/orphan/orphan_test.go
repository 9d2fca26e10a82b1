//go:build linux

package orphan

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The process has the files it was given, no output of ours, a session of its
// own, and another parent.
func TestStart(t *testing.T) {
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
func TestStartNoProgram(t *testing.T) {
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
