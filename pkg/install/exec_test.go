//go:build linux

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// containerVariable has, for the act runtime, the container's init.
const containerVariable = "TEST_CONTAINER"

// actRuntime does what a wrapper of a runtime does for an exec, and then what
// the runtime itself does: start processes outside the container and one in
// it.
func actRuntime() {
	f, err := StartFollower(Command{Env: []string{
		confinedVariable + "=" + os.Getenv(confinedVariable),
		faultVariable + "=" + os.Getenv(faultVariable),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	container, _ := strconv.Atoi(os.Getenv(containerVariable))
	result, err := f.Exec(context.Background(), ExecRequest{
		Filter:          denying(denied),
		NoNewPrivileges: os.Getenv(noNewPrivsVariable) != "",
		Container:       container,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("follower is a child:", hasChild())
	fmt.Println(result.Mode, probe())
	execRuntimeItself()
}

func execRuntimeItself() {
	fmt.Println("exec:", unix.Exec("/proc/self/exe", []string{"runtime-itself"}, os.Environ()))
}

// hasChild reports whether this process has a child.
func hasChild() bool {
	_, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	return err != unix.ECHILD
}

func actRuntimeItself() {
	fmt.Println("runtime", probe())
	run := func(name string, flags uintptr) {
		cmd := exec.Command("/proc/self/exe")
		cmd.Args = []string{"program"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
		out, err := cmd.Output()
		fmt.Println(name, strings.TrimSpace(string(out)), err)
	}
	if os.Getenv(noNewPrivsVariable) != "" {
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	run("outside", 0)
	run("inside", unix.CLONE_NEWNS)
}

// newContainer starts a process in a mount namespace of its own.
func newContainer(t *testing.T) *victim {
	t.Helper()
	needSuspend(t) // CLONE_NEWNS needs CAP_SYS_ADMIN as well
	v := prepareVictim(t, "init")
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	v.start()
	v.expect("ready")
	return v
}

func TestExec(t *testing.T) {
	container := newContainer(t)
	v := prepareVictim(t, "runtime", fmt.Sprint(containerVariable, "=", container.pid()))
	v.start()
	v.expect("follower is a child: false", "suspend 0", "runtime 0")
	if !v.lines.Scan() || !strings.HasPrefix(v.lines.Text(), "outside program 0 2 1 ") {
		t.Errorf("outside the container: %q", v.lines.Text())
	}
	v.expect("inside program 99 2 1 0 <nil>")
}

func TestExecModeExec(t *testing.T) {
	container := newContainer(t)
	v := prepareVictim(t, "runtime", fmt.Sprint(containerVariable, "=", container.pid()), confinedVariable+"=1", noNewPrivsVariable+"=1")
	v.start()
	v.expect("follower is a child: false", "exec 0", "runtime 0")
	if !v.lines.Scan() || !strings.HasPrefix(v.lines.Text(), "outside program 0 0 0 ") {
		t.Errorf("outside the container: %q", v.lines.Text())
	}
	v.expect("inside program 99 2 1 0 <nil>")
}

func TestExecHostMounts(t *testing.T) {
	container := newVictim(t, "init")
	f, err := StartFollower(Command{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Exec(t.Context(), ExecRequest{Filter: denying(denied), Container: container.pid()})
	if !errors.Is(err, ErrHostMounts) {
		t.Errorf("error %v", err)
	}
}

// A follower that dies at any step leaves every process filtered.
func TestFollowerKilled(t *testing.T) {
	container := newContainer(t)
	outcomes := map[string]int{}
	for step := StepStart; step <= LastStep; step++ {
		t.Run(fmt.Sprintf("%d %s", step, step), func(t *testing.T) {
			v := prepareVictim(t, "runtime", fmt.Sprint(containerVariable, "=", container.pid()),
				fmt.Sprintf("%s=%d %d 0", faultVariable, step, unix.SIGKILL))
			v.start()
			said, status := v.ends()
			for _, line := range said {
				if strings.HasPrefix(line, "inside program 0") {
					t.Errorf("unfiltered: status %d, %q", status, said)
				}
			}
			outcomes[said[len(said)-1]]++
		})
	}
	t.Log(outcomes)
}
