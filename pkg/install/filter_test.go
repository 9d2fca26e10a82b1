//go:build linux

package install

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// selfTests install into the process that runs them, a victim each.
var selfTests = map[string]struct {
	act  func()
	said []string
}{
	"every thread has it": {func() {
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		_, err := Self(denying(denied))
		fmt.Println(err, probe(), onAnotherThread(probe), self("Seccomp_filters"))
	}, []string{"<nil> 99 99 1"}},

	"neither no_new_privs nor CAP_SYS_ADMIN": {func() {
		var none [2]unix.CapUserData
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&header, &none[0]); err != nil {
			fmt.Println(err)
		}
		_, err := Self(denying(denied))
		fmt.Println(errors.Is(err, unix.EACCES), err)
	}, []string{"true seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 4 instructions): the process has neither no_new_privs nor CAP_SYS_ADMIN in its user namespace (EACCES)"}},

	"a thread with a filter of its own": {func() {
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		tid := onAnotherThread(func() int {
			_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
			_ = alone(denying(unusedCall))
			return unix.Gettid()
		})
		_, err := Self(denying(denied))
		var refusal *SeccompError
		fmt.Println(errors.Is(err, unix.ESRCH), errors.As(err, &refusal) && refusal.Thread == tid, probe(), onAnotherThread(probe))
	}, []string{"true true 0 0"}},

	"too many instructions in all": {func() {
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		// The kernel counts its own instructions: one for a load, two for a
		// return, and some in front.
		long := make(bpf.Program, bpf.MaxInstructions)
		for i := range long {
			long[i] = bpf.Load(bpf.OffNr)
		}
		long[len(long)-1] = bpf.Ret(bpf.RetAllow)
		for n := 0; ; n++ {
			if _, err := Self(Filter{Program: long}); err != nil {
				fmt.Println(n, errors.Is(err, unix.ENOMEM), err)
				return
			}
		}
	}, []string{"7 true seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 4096 instructions): no memory, or the filters of the process would pass 32768 instructions as the kernel counts them, converted and with 4 more for each filter (ENOMEM)"}},

	"two listeners": {func() {
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		f := denying(denied)
		f.Flags = NewListener
		first, err := Self(f)
		fmt.Println(first >= 0, err)
		flags, err := unix.FcntlInt(uintptr(first), unix.F_GETFD, 0)
		fmt.Println(flags == unix.FD_CLOEXEC, err)
		second, err := Self(f)
		fmt.Println(second, errors.Is(err, unix.EBUSY), err)
	}, []string{
		"true <nil>",
		"true <nil>",
		"-1 true seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_NEW_LISTENER|SECCOMP_FILTER_FLAG_TSYNC_ESRCH, 4 instructions): an older filter of the process has a listener already, and there can be only one (EBUSY)",
	}},

	"an invalid program": {func() {
		_, err := Self(Filter{})
		var length *bpf.LengthError
		fmt.Println(errors.As(err, &length), self("Seccomp"))
	}, []string{"true 0"}},
}

// selfVariable names the one of selfTests that the act self runs.
const selfVariable = "TEST_SELF"

func actSelf() { selfTests[os.Getenv(selfVariable)].act() }

func TestSelf(t *testing.T) {
	for name, tt := range selfTests {
		t.Run(name, func(t *testing.T) {
			v := prepareVictim(t, "self", selfVariable+"="+name)
			v.start()
			if said, status := v.ends(); status != 0 || !slices.Equal(said, tt.said) {
				t.Errorf("status %d\n%q, want\n%q", status, said, tt.said)
			}
		})
	}
}

// onAnotherThread runs f on another thread, which stays.
func onAnotherThread(f func() int) int {
	done := make(chan int)
	go func() {
		runtime.LockOSThread()
		done <- f()
		select {}
	}()
	return <-done
}

// alone attaches a filter to the calling thread only.
func alone(f Filter) error {
	filter := make([]unix.SockFilter, len(f.Program))
	for i, in := range f.Program {
		filter[i] = unix.SockFilter{Code: in.Code, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}
