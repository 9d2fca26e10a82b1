package runtime

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program that is built in is what its source says.
func TestAnnouncerIsCurrent(t *testing.T) {
	for _, tool := range []string{"gcc", "ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	object, program := filepath.Join(t.TempDir(), "a.o"), filepath.Join(t.TempDir(), "a")
	for _, argv := range [][]string{
		{"gcc", "-c", "-o", object, "announce/announce_amd64.S"},
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
	if !bytes.Equal(built, announcer) {
		t.Error("announce/announce_amd64.bin is stale: go generate ./pkg/runtime")
	}
}

// newAnnouncer installs the program, and something in the place of the Go
// program that says what it gets.
func newAnnouncer(t *testing.T) (program, fallback string) {
	t.Helper()
	dir := t.TempDir()
	program, fallback = filepath.Join(dir, announcerName), filepath.Join(dir, "fallback")
	for path, text := range map[string]string{program: string(announcer), fallback: "#!/bin/sh\necho \"fallback $0 $1:\"\ncat\n"} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return program, fallback
}

// The program hands all of the state to the attendant, and its answer is the
// exit code; without an answer the Go program has the state from its beginning.
func TestAnnouncer(t *testing.T) {
	program, fallback := newAnnouncer(t)
	for _, size := range []int{1, 100, 70_000, 1_000_000} {
		state := bytes.Repeat([]byte("s"), size)
		for _, tc := range []struct {
			answer string
			code   int
			says   string
		}{
			{"+", 0, ""},
			{"-a reason", 1, "seccomp-hook: a reason\n"},
			{"-" + strings.Repeat("r", 65535), 1, "seccomp-hook: " + strings.Repeat("r", 65535) + "\n"},
			{"", 0, fmt.Sprintf("fallback %s SOCKET:\n%s", fallback, state)},
		} {
			t.Run(fmt.Sprintf("%d/%.9s", size, tc.answer), func(t *testing.T) {
				socket := filepath.Join(t.TempDir(), "s")
				l, err := net.Listen("unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				got := make(chan []byte, 1)
				go func() {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					text, _ := io.ReadAll(conn)
					got <- text
					_, _ = io.WriteString(conn, tc.answer)
				}()
				cmd := exec.Command(program, socket, fallback)
				cmd.Args[0] = announceArg0
				cmd.Stdin = bytes.NewReader(state) // a pipe, as a runtime's
				out, _ := cmd.CombinedOutput()
				if text := <-got; !bytes.Equal(text, state) {
					t.Errorf("the attendant got %d bytes, want %d", len(text), len(state))
				}
				if code := cmd.ProcessState.ExitCode(); code != tc.code {
					t.Errorf("exit code %d, want %d", code, tc.code)
				}
				if want := strings.ReplaceAll(tc.says, "SOCKET", socket); string(out) != want {
					t.Errorf("says %.200q, want %.200q", out, want)
				}
			})
		}
	}
}

// Without an attendant, and where standard input is no pipe, all is left to
// the Go program.
func TestAnnouncerFallsBack(t *testing.T) {
	program, fallback := newAnnouncer(t)
	state := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(state, []byte("the state"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, socket := range []string{"/nonexistent", "/" + strings.Repeat("x", 200)} {
		want := fmt.Sprintf("fallback %s %s:\nthe state", fallback, socket)
		file, err := os.Open(state)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		for name, stdin := range map[string]io.Reader{"pipe": strings.NewReader("the state"), "file": file} {
			cmd := exec.Command(program, socket, fallback)
			cmd.Stdin = stdin
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
				t.Errorf("%s: says %q, want %q (%v)", name, out, want, err)
			}
		}
	}
	for _, args := range [][]string{{}, {"a"}, {"a", "b", "c"}} {
		cmd := exec.Command(program, args...)
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// What is not the program that was built in is not executed.
func TestIsAnnouncer(t *testing.T) {
	program, fallback := newAnnouncer(t)
	if os.Geteuid() == 0 && !isAnnouncer(program) {
		t.Error("the program is not taken for it")
	}
	if isAnnouncer(fallback) || isAnnouncer(filepath.Dir(program)) || isAnnouncer(program+"x") {
		t.Error("something else is taken for the program")
	}
	link := program + "-link"
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	if isAnnouncer(link) {
		t.Error("a symbolic link is followed")
	}
	if err := os.Chmod(program, 0o777); err != nil {
		t.Fatal(err)
	}
	if isAnnouncer(program) {
		t.Error("a file that others can write to is taken for the program")
	}
}
