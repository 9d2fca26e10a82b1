//go:build linux

package install

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needDispatch skips where the kernel cannot set the dispatch of a tracee.
func needDispatch(t *testing.T) {
	t.Helper()
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are x86 machine code")
	}
	if err := (Dispatch{}).Arm(); errors.Is(err, ErrNoDispatch) {
		t.Skip(err)
	}
}

// dispatching runs the victim's program under the areas, and returns how it
// ended and what the installer has written about it.
func dispatching(t *testing.T, areas string, env ...string) (said []string, status int, outcome *Outcome) {
	t.Helper()
	v := newVictim(t, "init", env...)
	r := request(denying(denied))
	file, err := os.Create(filepath.Join(t.TempDir(), "outcome"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r.Outcome = file
	if areas != "" {
		if r.Dispatch, err = ParseAreas(areas); err != nil {
			t.Fatal(err)
		}
	}
	mustInstall(t, v, r)
	v.proceed()
	v.expect("init 0")
	said, status = v.ends()
	line, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if outcome, err = ParseOutcome(string(line)); err != nil {
		t.Fatal(err)
	}
	if outcome.PID != v.pid() {
		t.Errorf("outcome of process %d, not %d", outcome.PID, v.pid())
	}
	return said, status, outcome
}

// A call from the program's text passes and meets the seccomp filter; one from
// a page that the program has mapped raises SIGSYS.
func TestDispatch(t *testing.T) {
	needDispatch(t)
	path := executable(t, elf64(strayCall64), 0o755)
	all := fmt.Sprintf("%x-%x", loadAddress, uint64(addressSpace))
	text := Area{loadAddress, loadAddress + 0x1000}
	for _, tt := range []struct {
		areas  string
		area   *Area
		status int
	}{
		{"", nil, verdict},
		{"text", &text, -int(unix.SIGSYS)},
		{"program", &text, -int(unix.SIGSYS)},
		{text.String(), &text, -int(unix.SIGSYS)},
		{all, &Area{loadAddress, addressSpace}, verdict},
		{"1000-2000", &Area{0x1000, 0x2000}, -int(unix.SIGSYS)},
	} {
		t.Run(tt.areas, func(t *testing.T) {
			said, status, outcome := dispatching(t, tt.areas, executeVariable+"="+path)
			if status != tt.status {
				t.Errorf("status %d %q, want %d", status, said, tt.status)
			}
			if outcome.Err != nil || (outcome.Area == nil) != (tt.area == nil) || tt.area != nil && *outcome.Area != *tt.area {
				t.Errorf("outcome %s, want %v", outcome, tt.area)
			}
		})
	}
}

// A static program of some size works: its threads have no dispatch, its clock
// makes real calls from its text, because it does not find the vDSO.
func TestDispatchWithoutVDSO(t *testing.T) {
	needDispatch(t)
	if dynamic("/proc/self/exe") {
		t.Skip("this test binary, which is the program, is dynamically linked")
	}
	for areas, want := range map[string]string{"": "vdso true", "text": "vdso false"} {
		said, status, outcome := dispatching(t, areas, actVariable+"=vdso")
		if status != 0 || len(said) != 1 || said[0] != want {
			t.Errorf("%q: status %d, %q, %s", areas, status, said, outcome)
		}
	}
}

func actVDSO() {
	const atSysinfoEHDR = 33
	vector, err := unix.Auxv()
	if err != nil {
		fmt.Println(err)
	}
	found := false
	for _, entry := range vector {
		found = found || entry[0] == atSysinfoEHDR
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil || onAnotherThread(unix.Getpid) != unix.Getpid() {
		fmt.Println(err)
	}
	fmt.Println("vdso", found)
}

// What cannot be given to the program kills it at its exec, with a reason.
func TestDispatchRefused(t *testing.T) {
	needDispatch(t)
	static := executable(t, elf64(strayCall64), 0o755)
	for _, tt := range []struct{ areas, execute, want string }{
		{"text", dynamicProgram(t), ErrDynamic.Error()},
		{"nowhere.so", static, "0 executable mappings are named nowhere.so"},
		{"text-file,10000-11000", static, "0 executable mappings are named text-file"},
		{"20000-21000,program", static, "gap between them"},
		{"10800-11000,program", static, "overlap"},
	} {
		said, status, outcome := dispatching(t, tt.areas, executeVariable+"="+tt.execute)
		if status != -int(unix.SIGKILL) || outcome.Err == nil || !strings.Contains(outcome.Err.Error(), tt.want) {
			t.Errorf("%s: status %d, %q, %s", tt.areas, status, said, outcome)
		}
		t.Log(outcome)
	}
}

// dynamicProgram returns a program of this machine that has an interpreter.
func dynamicProgram(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/bin/true", "/bin/sh", "/bin/ls"} {
		if dynamic(path) {
			return path
		}
	}
	t.Skip("no dynamically linked program here")
	return ""
}

// dynamic reports whether a program has an interpreter.
func dynamic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// What a thread arms itself is what the kernel says of it; other threads have
// none.
func TestDispatchArm(t *testing.T) {
	needDispatch(t)
	v := newVictim(t, "armed")
	want := Dispatch{On: true, Area: Area{0x1000, addressSpace}}
	err := <-onThread(func() error {
		for _, tid := range threadsOf(t, v.pid()) {
			if err := seize(tid, 0); err != nil {
				return err
			}
			if err := new(tracer).interrupt(tid); err != nil {
				return err
			}
			got, err := dispatchOf(tid)
			if err != nil {
				return err
			}
			if (tid == v.pid()) != (got == want) || got != want && got != (Dispatch{}) {
				t.Errorf("thread %d of %d: %+v", tid, v.pid(), got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	v.proceed()
	v.expect("off <nil>")
}

func threadsOf(t *testing.T, pid int) []int {
	t.Helper()
	p, err := openTracee(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p.dir)
	tids, _, err := p.threads()
	if err != nil {
		t.Fatal(err)
	}
	return tids
}

func actArmed() {
	for _, wrong := range []Dispatch{
		{On: true},
		{On: true, Area: Area{2, 1}},
		{On: true, Area: Area{1, addressSpace + 1}},
		{Area: Area{1, 2}},
		{Selector: 1},
	} {
		if err := wrong.Arm(); err == nil || errors.Is(err, ErrNoDispatch) {
			fmt.Println(wrong, err)
		}
	}
	if err := (Dispatch{On: true, Area: Area{0x1000, addressSpace}}).Arm(); err != nil {
		fmt.Println(err)
	}
	waitForGo()
	fmt.Println("off", Dispatch{}.Arm())
}
