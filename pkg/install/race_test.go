//go:build linux

package install

import (
	"errors"
	goflag "flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var rounds = goflag.Int("rounds", 8, "how often each race is run")

// child is a way in which a process of the runtime starts another one.
type child struct {
	name string
	// clone and unshare are flags of clone(2), without which the child shares its
	// parent's memory, and the parent waits (CLONE_VM, CLONE_VFORK); and of
	// unshare(2) in the child.
	clone, unshare uintptr
	// setns has the child enter another user namespace with setns(2), and then the
	// container's root.
	setns bool
}

var childKinds = []child{
	{name: "vfork"},
	{name: "clone into a user namespace", clone: unix.CLONE_NEWUSER},
	{name: "unshare the user namespace", unshare: unix.CLONE_NEWUSER},
	{name: "setns into a user namespace", setns: true},
}

// namespaced makes a victim's user namespace one of its own.
func namespaced(v *victim) {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
	v.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
}

// TestSpawning installs while threads of the runtime start other processes, one
// after the other: each in the runtime's root, where it is never filtered, or in the
// container's, where it is once the filter was said to be installed. All of them
// come to their end, and so does init, whose program is filtered.
func TestSpawning(t *testing.T) {
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is x86 machine code")
	}
	path := executable(t, elf64(firstDenied64), 0o755)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "enter"), elf64(enter64), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kind := range childKinds {
		for _, user := range []string{"the host's", "its own"} {
			t.Run(kind.name+"/init in "+user+" user namespace", func(t *testing.T) {
				for range *rounds {
					v := prepareVictim(t, "spawner", "TEST_ROOT="+filepath.Dir(path), executeVariable+"=/program",
						fmt.Sprintf("TEST_FLAGS=%d %d %t", kind.clone, kind.unshare, kind.setns))
					if user == "its own" {
						namespaced(v)
					}
					v.start()
					v.expect("ready")
					mustInstall(t, v, request(denying(0)))
					v.proceed()
					v.expect("outside 0")
					// One that comes before the filter is attached is let go of, or killed.
					if v.lines.Scan(); strings.Trim(v.lines.Text(), "insde -09") != "" {
						t.Fatalf("the victim says %q", v.lines.Text())
					}
					v.expect("installed outside 0", "installed inside 99")
					if said, status := v.ends(); status != verdict {
						t.Fatalf("status %d %q, want %d", status, said, verdict)
					}
				}
			})
		}
	}
}

// actSpawner starts children from several threads, and says with what they end:
// those that were started before it was told to go on, and those afterwards.
func actSpawner() {
	const threads, afterwards = 3, 4
	root := os.Getenv("TEST_ROOT")
	var kind child
	_, _ = fmt.Sscan(os.Getenv("TEST_FLAGS"), &kind.clone, &kind.unshare, &kind.setns)
	files := []uintptr{0, 1, 2}
	if kind.setns {
		files = append(files, userNamespace(root+"/program"))
	}
	start := func(inside bool) int {
		attr := &syscall.ProcAttr{Files: files, Sys: &syscall.SysProcAttr{Cloneflags: kind.clone, Unshareflags: kind.unshare}}
		path, argv := root+"/program", []string{"child"}
		switch {
		case kind.setns:
			path, attr.Dir = root+"/enter", root
			if inside {
				argv = append(argv, "inside")
			}
		case inside:
			attr.Sys.Chroot, path = root, "/program"
		}
		pid, err := syscall.ForkExec(path, argv, attr)
		if err != nil {
			fmt.Println(err)
			return -1
		}
		var ws unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
				break
			}
		}
		if !ws.Exited() {
			return -int(ws.Signal())
		}
		return ws.ExitStatus()
	}
	var mutex sync.Mutex
	ends := map[string][]int{}
	var installed atomic.Bool
	work := func() {
		for left := afterwards; left > 0; {
			for _, inside := range []bool{false, true} {
				late := installed.Load()
				status := start(inside)
				name := map[bool]string{true: "installed "}[late] + map[bool]string{false: "outside", true: "inside"}[inside]
				mutex.Lock()
				if !slices.Contains(ends[name], status) {
					ends[name] = append(ends[name], status)
				}
				mutex.Unlock()
				if late && inside {
					left--
				}
			}
		}
	}
	var working sync.WaitGroup
	for range threads - 1 {
		working.Go(work)
	}
	working.Go(func() {
		waitForGo()
		installed.Store(true)
	})
	work() // on the first thread
	working.Wait()
	for _, name := range []string{"outside", "inside", "installed outside", "installed inside"} {
		slices.Sort(ends[name])
		fmt.Println(name, strings.Trim(fmt.Sprint(ends[name]), "[]"))
	}
	if err := unix.Chroot(root); err != nil {
		fmt.Println(err)
	}
	execProgram()
}

// userNamespace returns a descriptor of a new user namespace: that of a process that
// has executed a program there, and need not be there any more.
func userNamespace(program string) uintptr {
	pid, err := syscall.ForkExec(program, nil, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
	if err != nil {
		fmt.Println(err)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
	}
	_, _ = unix.Wait4(pid, nil, 0, nil)
	return uintptr(fd)
}

// TestRacingExecs has several threads execute a program at once, at each step of the
// installation from when they are seized on: whichever comes first, the program is
// filtered, or killed, and then nothing is said to be installed. The installer does
// not wait for ever.
func TestRacingExecs(t *testing.T) {
	needSuspend(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is x86 machine code")
	}
	path := executable(t, elf64(firstDenied64), 0o755)
	outcomes := map[string]int{}
	for range *rounds {
		for step := StepSeize; step <= StepReport; step++ {
			v := newVictim(t, "racers", executeVariable+"="+path)
			_, err := install(t, v, request(denying(0)), fmt.Sprintf("%s=%d 0 %d", faultVariable, step, -v.pid()))
			_, _ = v.in.Write([]byte("\n")) // not every installation has every step
			said, status := v.ends()
			switch {
			case errors.Is(err, ErrLost), err == nil && status != verdict,
				// Before it is seized a runtime that does not wait for its hook gets away.
				err != nil && status != -int(unix.SIGKILL) && step > StepSeize:
				t.Errorf("step %s: %v, status %d, %q", step, err, status, said)
			}
			outcomes[fmt.Sprint("installed ", err == nil, ", status ", status)]++
		}
	}
	t.Log(outcomes)
}

// actRacers executes the program from several threads at once.
func actRacers() {
	const threads = 4
	proceed := make(chan struct{})
	var ready sync.WaitGroup
	ready.Add(threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			ready.Done()
			<-proceed
			execProgram()
		}()
	}
	ready.Wait()
	waitForGo()
	close(proceed)
	select {}
}

// TestSeizingDuringExec has a thread execute a program while another one has been
// seized, and the others have not. The kernel holds up who seizes them until the exec
// is done, and the exec until the installer has taken the end of the seized thread.
func TestSeizingDuringExec(t *testing.T) {
	needSuspend(t)
	v := prepareVictim(t, "pair", executeVariable+"=/bin/cat")
	v.start()
	v.lines.Scan()
	second := v.lines.Text()
	v.expect("ready")
	_, err := install(t, v, request(denying(denied)), fmt.Sprintf("%s=%d 0 %d %s", faultVariable, StepSeize, -v.pid(), second))
	if !errors.Is(err, ErrEarlyExec) && !errors.Is(err, ErrNotRuntime) && !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
}

// TestReplacedThread: a thread that is waited for and executes a program has the
// number of the first one then, and no end.
func TestReplacedThread(t *testing.T) {
	v := prepareVictim(t, "pair", secondVariable+"=1")
	v.start()
	v.lines.Scan()
	second, err := strconv.Atoi(v.lines.Text())
	if err != nil {
		t.Fatal(err)
	}
	v.expect("ready")
	err = <-onThread(func() error {
		if err := seize(second, follow); err != nil {
			return err
		}
		v.proceed()
		_, err := new(tracer).await(second)
		return err
	})
	if !errors.Is(err, ErrEarlyExec) {
		t.Errorf("error %v", err)
	}
}

// secondVariable, where it is not empty, has the second thread of a pair execute the
// program.
const secondVariable = "TEST_SECOND"

// actPair has a second thread and says which.
func actPair() {
	second, turn := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		second <- unix.Gettid()
		<-turn
		execProgram()
	}()
	fmt.Println(<-second)
	waitForGo()
	if os.Getenv(secondVariable) != "" {
		close(turn)
		select {}
	}
	execProgram()
}
