//go:build linux

package install

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread that then ends, and with that lets go of what it
// traces. The first thread never ends, and one that has started a victim has a
// child to wait for, so it must be another.
func onThread(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() || hasThreadChild() {
			done <- <-onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return done
}

// hasThreadChild reports whether the calling thread has children; they stay to
// be waited for.
func hasThreadChild() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL|unix.WNOTHREAD, nil)
	return err != unix.ECHILD
}

func TestHere(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	var entered []int
	done := onThread(func() error {
		return Here(v.pid(), request(denying(denied)), func(r *Result) error {
			if r.Mode != ModeSuspend || r.Listener != nil || r.Threads == 0 {
				t.Errorf("result %+v", r)
			}
			v.proceed()
			return nil
		}, func(pid int) error {
			entered = append(entered, pid)
			return nil
		})
	})
	v.expect("init 0", "program 99 2 1 0")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !slices.Equal(entered, []int{v.pid()}) {
		t.Errorf("let go of %v", entered)
	}
}

// What the caller makes of the result counts as a step of the installation.
func TestHereRefused(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	refusal := errors.New("refused")
	err := <-onThread(func() error {
		return Here(v.pid(), request(denying(denied)), func(*Result) error { return refusal }, nil)
	})
	var failure *Error
	if !errors.As(err, &failure) || failure.Step != StepReport || !errors.Is(err, refusal) {
		t.Errorf("error %v", err)
	}
	if said, status := v.ends(); len(said) != 0 || status >= 0 {
		t.Errorf("the victim lives: status %d, %q", status, said)
	}
}

func TestHereGone(t *testing.T) {
	v := newVictim(t, "init")
	v.proceed()
	v.ends()
	err := <-onThread(func() error { return Here(v.pid(), request(denying(denied)), nil, nil) })
	if !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
}

func TestFollowHere(t *testing.T) {
	container := newContainer(t)
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprint("refused ", refused), func(t *testing.T) {
			v := newVictim(t, "followed")
			var entered []int
			done := onThread(func() error {
				return FollowHere(v.pid(), ExecRequest{Filter: denying(denied), Container: container.pid()},
					func(*Result) error { v.proceed(); return nil },
					func(pid int) error {
						entered = append(entered, pid)
						if refused {
							return errors.New("refused")
						}
						return nil
					})
			})
			v.expect("runtime 0")
			v.lines.Scan() // outside
			if refused {
				v.expect("inside  signal: killed")
			} else {
				v.expect("inside program 99 2 1 0 <nil>")
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if len(entered) != 1 {
				t.Errorf("entered by %v", entered)
			}
		})
	}
}

// actFollowed is actRuntime with a follower that it does not start.
func actFollowed() {
	waitForGo()
	if _, err := Self(denying(denied)); err != nil {
		fmt.Println(err)
	}
	execRuntimeItself()
}
