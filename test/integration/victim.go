//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Victim is a static program without a libc, so that no system call happens
// which its source does not show. testdata/victims has the sources.
type Victim struct {
	Source string // "probe.c", "first.S"
	Flags  string // "": x86_64; "-m32": i386; defines for first.S
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
// As an i386 program (Probe32), its calls are those of i386.
var (
	Probe   = Victim{Source: "probe.c"}
	Probe32 = Victim{Source: "probe.c", Flags: "-m32"}
)

// First returns the program whose first instructions are one system call,
// without arguments, and which exits with the call's errno, 0 if it succeeded.
func First(nr uint32) Victim { return Victim{Source: "first.S", Flags: fmt.Sprintf("-DNR=%d", nr)} }

// FirstTold is First, and also writes the errno to its standard output, as one
// byte.
func FirstTold(nr uint32) Victim {
	return Victim{Source: "first.S", Flags: fmt.Sprintf("-DNR=%d -DTELL", nr)}
}

// First32 is First as an i386 program, with i386's number.
func First32(nr uint32) Victim {
	return Victim{Source: "first.S", Flags: fmt.Sprintf("-m32 -DNR=%d", nr)}
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
	dir := filepath.Join(os.Getenv(insideEnv), "victims")
	must(t, os.MkdirAll(dir, 0o755))
	path := filepath.Join(dir, fmt.Sprintf("victim%d", len(victims.built)))
	args := append([]string{
		"-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-no-pie", "-O1", "-Wall", "-Wextra", "-Werror",
		"-Wl,-z,noexecstack", "-o", path,
	}, strings.Fields(v.Flags)...)
	MustCommand(t, "gcc", append(args, filepath.Join(Root(t), "test/integration/testdata/victims", v.Source))...)
	victims.built[v] = path
	return path
}
