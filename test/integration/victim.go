//go:build integration

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Victim is a static program without a libc, so that no system call happens
// which its source does not show. testdata/victims has the sources.
type Victim struct {
	Source  string // "probe.c", "first.S"
	Bits32  bool   // a program of the machine's 32-bit architecture: i386 on x86_64, arm on arm64
	Defines string // for first.S
}

// Probe returns the program that does what its arguments say:
//
//	status             prints Uid, NoNewPrivs, Seccomp, Seccomp_filters, Cap* of /proc/self/status
//	call NR [ARG...]   makes a call with up to six numbers, prints "call NR: RESULT"; a negative
//	                   result is the errno ("call 250: -1"); ends at the next word that is no number
//	say TEXT           prints TEXT
//	exec PROGRAM       executes PROGRAM with the arguments that are left
//	fork               goes on in a child, and ends with its exit status
//	pause              waits for a signal
//	exit STATUS
//
// As a 32-bit program (Probe32), its calls are those of i386 or arm.
var (
	Probe   = Victim{Source: "probe.c"}
	Probe32 = Victim{Source: "probe.c", Bits32: true}
)

// Life takes a filter on its standard input, says "r" when it has it, and waits
// for a byte, while each SIGUSR2 makes it say "h" and wait again. Then it makes 5
// kill(2) to itself, with a handler for them; 2 calls of the number -1; clone3; a
// vfork, whose child calls exit; a fork, whose child calls exit_group; a thread,
// which calls exit; a wait4 for each of the processes; 2 execve that fail; and
// executes a program that calls exit_group. x86_64 only.
var Life = Victim{Source: "life.c"}

// First returns the program whose first instructions are one system call,
// without arguments, and which exits with the call's errno, 0 if it succeeded.
func First(nr uint32) Victim { return Victim{Source: "first.S", Defines: fmt.Sprintf("-DNR=%d", nr)} }

// FirstTold is First, and also writes the errno to its standard output, as one
// byte.
func FirstTold(nr uint32) Victim {
	return Victim{Source: "first.S", Defines: fmt.Sprintf("-DNR=%d -DTELL", nr)}
}

// First32 is First as a 32-bit program, with i386's or arm's number.
func First32(nr uint32) Victim {
	return Victim{Source: "first.S", Bits32: true, Defines: fmt.Sprintf("-DNR=%d", nr)}
}

var victims struct {
	sync.Mutex
	built map[Victim]string
}

// Path builds the program, once a test run, and returns where it is.
func (v Victim) Path(t testing.TB) string {
	t.Helper()
	victims.Lock()
	defer victims.Unlock()
	if path, ok := victims.built[v]; ok {
		return path
	}
	if victims.built == nil {
		victims.built = make(map[Victim]string)
	}
	path := filepath.Join(Root(t), "victims", v.name())
	if !prebuilt() {
		path = v.Build(t, filepath.Join(os.Getenv(insideEnv), "victims"), runtime.GOARCH)
	}
	victims.built[v] = mustExist(t, path)
	return path
}

// runnable skips the test where the machine executes no 32-bit programs.
func (v Victim) runnable(t testing.TB, path string) {
	t.Helper()
	if v.Bits32 && errors.Is(exec.Command(path).Run(), unix.ENOEXEC) {
		t.Skip("this machine executes no 32-bit programs")
	}
}

// name tells this program from the others.
func (v Victim) name() string {
	name := strings.NewReplacer(" -D", "-", "-D", "-", "=", "").Replace(v.Source + v.Defines)
	if v.Bits32 {
		name += "-32"
	}
	return name
}

// compilers are those of an architecture, and of the 32-bit one that its machines
// run as well. The hardware of the latter divides; there is no library that could.
var compilers = map[string]struct{ native, bits32 []string }{
	"amd64": {[]string{"gcc"}, []string{"gcc", "-m32"}},
	"arm64": {[]string{"aarch64-linux-gnu-gcc"}, []string{"arm-linux-gnueabihf-gcc", "-mcpu=cortex-a15", "-marm", "-fomit-frame-pointer"}},
}

// Build builds the program for a machine, one of GOARCH's, into a folder, and returns
// where it is.
func (v Victim) Build(t testing.TB, dir, goarch string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	path := filepath.Join(dir, v.name())
	argv := compilers[goarch].native
	if v.Bits32 {
		argv = compilers[goarch].bits32
	}
	argv = append(argv[:len(argv):len(argv)],
		"-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-no-pie", "-O1", "-Wall", "-Wextra", "-Werror",
		"-Wl,-z,noexecstack", "-o", path)
	argv = append(argv, strings.Fields(v.Defines)...)
	MustCommand(t, argv[0], append(argv[1:], filepath.Join(Root(t), "test/integration/testdata/victims", v.Source))...)
	return path
}
