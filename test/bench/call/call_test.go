//go:build linux

package call

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// getppid is allowed by a program that executes steps instructions for it. The
// kernel caches it unless the first of them looks at an argument.
func getppid(steps int, cached bool) bpf.Program {
	first := bpf.Load(bpf.OffArgs)
	if cached {
		first = bpf.Load(bpf.OffNr)
	}
	p := bpf.Program{first, bpf.Load(bpf.OffNr)}
	for k := range uint32(steps - 3) {
		p = append(p, bpf.Jump(bpf.JEQ, 1000+k, 1, 0)) // never equal
	}
	return append(p, bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetKillThread))
}

// install gives the calling thread, and no other, a filter.
func install(p bpf.Program) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := struct {
		length uint16
		filter unsafe.Pointer
	}{uint16(len(p)), unsafe.Pointer(unsafe.SliceData(p))}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return errno
	}
	return nil
}

// caller starts a thread with these filters. It makes as many calls as it
// reads, and answers with the time they took; it ends with its channel.
func caller(programs []bpf.Program) (chan int, chan time.Duration, error) {
	calls, took, ready := make(chan int), make(chan time.Duration), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for _, p := range programs {
			if err := install(p); err != nil {
				ready <- err
				return
			}
		}
		ready <- nil
		for n := range calls {
			start := time.Now()
			for range n {
				_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
			}
			took <- time.Since(start)
		}
	}()
	return calls, took, <-ready
}

// BenchmarkGetppid reports nanoseconds for a call, the medians of rounds in
// which every chain has its turn.
func BenchmarkGetppid(b *testing.B) {
	const perRound = 2000
	chains := []struct {
		name     string
		programs []bpf.Program
	}{
		{"none", nil},
		{"cached-300", []bpf.Program{getppid(300, true)}},
		{"cached-4x300", slices.Repeat([]bpf.Program{getppid(300, true)}, 4)},
	}
	for _, steps := range []int{3, 20, 100, 300, 1000} {
		chains = append(chains, struct {
			name     string
			programs []bpf.Program
		}{fmt.Sprint(steps), []bpf.Program{getppid(steps, false)}})
	}
	times := make([][]time.Duration, len(chains))
	calls, took := make([]chan int, len(chains)), make([]chan time.Duration, len(chains))
	for i, c := range chains {
		var err error
		if calls[i], took[i], err = caller(c.programs); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { close(calls[i]) })
	}
	for b.Loop() {
		for i := range chains {
			calls[i] <- perRound
			times[i] = append(times[i], <-took[i])
		}
	}
	b.ReportMetric(0, "ns/op") // of all together: means nothing
	for i, c := range chains {
		slices.Sort(times[i])
		b.ReportMetric(float64(times[i][len(times[i])/2].Nanoseconds())/perRound, c.name+"-ns")
	}
}
