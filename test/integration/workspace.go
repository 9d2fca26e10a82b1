//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// commandTimeout bounds every command of the harness. Nothing here takes a
// tenth of it; a command that reaches it hangs.
var commandTimeout = time.Duration(2*patience) * time.Minute

// patience is how many times longer things may take in a machine that is emulated on a
// busy host.
var patience = func() int {
	if prebuilt() {
		return 6
	}
	return 1
}()

// Root returns the top folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// prebuiltEnv, set, says that what the tests would build is there: the product in
// bin, with faults in bin/faulty, and the victims. So they run on a machine that
// has no compilers (test/machine).
const prebuiltEnv = "SECCOMP_HOOK_TEST_PREBUILT"

func prebuilt() bool { return os.Getenv(prebuiltEnv) != "" }

// repeats is how often a test does the same: twice where it is emulated.
var repeats = func() int {
	if prebuilt() {
		return 2
	}
	return 10
}()

var product struct {
	once   sync.Once
	output []byte
	err    error
}

// Product returns the path of one of the product's binaries: "seccomp-hook",
// "seccomp-runc", "containerd-shim-seccomp-v2". It is built as users build it,
// by `make build`, once a test run, so that no test meets a stale one.
func Product(t testing.TB, name string) string {
	t.Helper()
	product.once.Do(func() {
		if prebuilt() {
			return
		}
		product.output, product.err = exec.Command("make", "-C", Root(t), "build").CombinedOutput()
	})
	if product.err != nil {
		t.Fatalf("make build: %v\n%s", product.err, product.output)
	}
	return mustExist(t, filepath.Join(Root(t), "bin", name))
}

// Tool returns the path of a binary that `make tools` builds: "runc", "ctr",
// "containerd", "containerd-2.1/containerd", "runc-tests/recvtty".
func Tool(t testing.TB, name string) string {
	t.Helper()
	return mustExist(t, filepath.Join(Root(t), "bin/tools", name))
}

func mustExist(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (run `make tools build` first)", err)
	}
	return path
}

// Result is what a command left behind.
type Result struct {
	Stdout, Stderr string
	Code           int // exit status; 128+n for signal n, as a shell has it
}

func (r Result) String() string {
	return fmt.Sprintf("exit status %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
}

// Lines returns standard output as key → value of its "key: value" lines, the
// form that victims and /proc/self/status write.
func (r Result) Lines() map[string]string {
	lines := make(map[string]string)
	for line := range strings.Lines(r.Stdout) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			lines[key] = strings.TrimSpace(value)
		}
	}
	return lines
}

// Command runs a command to its end and returns what it wrote; only a command
// that cannot be started or does not end fails the test.
func Command(t testing.TB, name string, args ...string) Result {
	t.Helper()
	return run(t, command(t, name, args...))
}

// MustCommand is Command for one that must exit with 0.
func MustCommand(t testing.TB, name string, args ...string) Result {
	t.Helper()
	r := Command(t, name, args...)
	if r.Code != 0 {
		t.Fatalf("%s %s: %s", name, strings.Join(args, " "), r)
	}
	return r
}

// command prepares a command that ends with the test.
func command(t testing.TB, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, name, args...)
}

// run runs cmd with its output in files: unlike a pipe, a file does not make
// Wait depend on a background process that inherited it.
func run(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	out, errs := tempFile(t), tempFile(t)
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	r := Result{Stdout: readBack(t, out), Stderr: readBack(t, errs), Code: exitCode(cmd.ProcessState)}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || cmd.ProcessState == nil {
		t.Fatalf("%s: %v\n%s", cmd, err, r)
	}
	return r
}

func tempFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp("", "output-")
	if err != nil {
		t.Fatal(err)
	}
	// Nameless from here on: there is nothing to clean up.
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	return f
}

func readBack(t testing.TB, f *os.File) string {
	t.Helper()
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if len(b) == 0 {
		return ""
	}
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
