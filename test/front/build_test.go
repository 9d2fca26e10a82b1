//go:build linux

package front

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// source is the folder of the front.
const source = "../../cmd/seccomp-runc"

// conversation is a C program of testdata around parts of the front, which
// answers on its standard output what it is asked on its standard input.
type conversation struct {
	in  io.WriteCloser
	out *bufio.Reader
	pid int
}

// cpu returns the CPU time that the program has taken. Of a busy machine it says
// what it says of an idle one.
func (c conversation) cpu(t testing.TB) time.Duration {
	t.Helper()
	var used unix.Timespec
	// The clock of a process (include/linux/posix-timers.h, CPUCLOCK_SCHED).
	if err := unix.ClockGettime(int32(^c.pid<<3|2), &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Nano())
}

// converse builds a program of testdata with files of the front, and starts it.
// The sanitizers end it at the first access outside of an object and at the
// first undefined operation, which fails the test.
func converse(t testing.TB, program string, parts []string, args ...string) conversation {
	t.Helper()
	if goruntime.GOARCH != "amd64" && goruntime.GOARCH != "arm64" {
		t.Skip("the front is for x86_64 and arm64")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler, and no front")
	}
	path := filepath.Join(t.TempDir(), program)
	build := exec.Command("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", source,
		// What a part calls of the others is not called here.
		"-no-pie", "-Wl,--unresolved-symbols=ignore-all",
		"-o", path, filepath.Join("testdata", program+".c"))
	for _, part := range parts {
		build.Args = append(build.Args, filepath.Join(source, part))
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(cmd.Environ(), "ASAN_OPTIONS=detect_leaks=0") // the front never frees
	stderr := new(report)
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, stderr.text)
		}
	})
	return conversation{in, bufio.NewReader(out), cmd.Process.Pid}
}

// report keeps the beginning of what is written to it: a sanitizer's report.
type report struct{ text []byte }

func (b *report) Write(p []byte) (int, error) {
	if room := 4096 - len(b.text); room > 0 {
		b.text = append(b.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}
