//go:build linux

package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// An installer that is killed at any step leaves no program that runs without
// the dispatch: Install fails, or the kernel kills init with the installer.
func TestInstallerKilledBeforeDispatch(t *testing.T) {
	needDispatch(t)
	outcomes := map[string]int{}
	path := executable(t, elf64(strayCall64), 0o755)
	for _, m := range faultModes {
		for step := StepRequest; step <= LastStep; step++ {
			t.Run(fmt.Sprintf("%s %s", m.mode, step), func(t *testing.T) {
				v := newVictim(t, "init", append(slices.Clone(m.victim), executeVariable+"="+path)...)
				r := request(denying(denied))
				r.NoNewPrivileges = m.mode == ModeExec
				var err error
				if r.Dispatch, err = ParseAreas("text"); err != nil {
					t.Fatal(err)
				}
				fault := fmt.Sprintf("%s=%d %d 0", faultVariable, step, unix.SIGKILL)
				if _, err = install(t, v, r, append([]string{fault}, m.env...)...); err == nil {
					_, _ = v.in.Write([]byte("\n")) // it may be gone by now
				} else if !errors.Is(err, ErrLost) {
					t.Errorf("error %v", err)
				} else {
					_ = v.in.Close() // the runtime does not start it
				}
				said, status := v.ends()
				// verdict: the program made its stray call and went on.
				if status == verdict || err == nil && status != -int(unix.SIGKILL) && status != -int(unix.SIGSYS) {
					t.Errorf("status %d, %q", status, said)
				}
				outcomes[fmt.Sprintf("created %v, status %d", err == nil, status)]++
			})
		}
	}
	t.Log(outcomes)
}

// Whether the kernel has what the dispatch takes is known before the container
// is created, and by the error's identity: it passes through a message.
func TestDispatchProbed(t *testing.T) {
	needDispatch(t)
	if dynamic("/proc/self/exe") {
		t.Skip("this test binary, which is the program, is dynamically linked")
	}
	for _, m := range faultModes {
		v := newVictim(t, "init", m.victim...)
		r := request(denying(denied))
		r.NoNewPrivileges = m.mode == ModeExec
		r.Dispatch, _ = ParseAreas("1000-2000")
		got, err := install(t, v, r, m.env...)
		if err != nil || got.Mode != m.mode {
			t.Errorf("%s: %+v, %v", m.mode, got, err)
		}
		v.proceed()
		v.expect("init 0") // the runtime has no dispatch
		if said, status := v.ends(); status != -int(unix.SIGSYS) {
			t.Errorf("%s: status %d, %q", m.mode, status, said)
		}
	}
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EIO} {
		failure := &Error{Step: StepProbe, PID: 7, Err: dispatchError("PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG", errno)}
		a, err := decodeAnswer((&answer{failure: failure}).encode())
		if err != nil || !errors.Is(a.failure, ErrNoDispatch) || a.failure.Error() != failure.Error() {
			t.Errorf("%v, %v; want %v", a, err, failure)
		}
	}
}

// What the outcome says of a kill that the program's areas caused.
func TestDispatchStep(t *testing.T) {
	needDispatch(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "outcome"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	v := newVictim(t, "init", executeVariable+"="+executable(t, elf64(strayCall64), 0o755))
	r := request(denying(denied))
	r.Outcome = file
	if r.Dispatch, err = ParseAreas("nowhere"); err != nil {
		t.Fatal(err)
	}
	mustInstall(t, v, r)
	v.proceed()
	v.expect("init 0")
	v.ends()
	line, err := os.ReadFile(file.Name())
	want := fmt.Sprintf("killed %d install: arm the dispatch, process %[1]d: areas: 0 executable mappings are named nowhere, instead of one\n", v.pid())
	if err != nil || string(line) != want {
		t.Errorf("%q, %v; want %q", line, err, want)
	}
}
