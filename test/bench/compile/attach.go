package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// attachCommand makes this program the child that attaches a filter.
const attachCommand = "attach"

// attach returns how long seccomp(2) takes to attach p in a child of its own:
// filters stay, and one that follows another is not emulated for the calls that
// the other one does not cache.
func attach(p bpf.Program) (time.Duration, error) {
	raw, err := p.MarshalBinary()
	if err != nil {
		return 0, err
	}
	child := exec.Command("/proc/self/exe", attachCommand)
	child.Stdin = bytes.NewReader(raw)
	child.Stderr = os.Stderr
	text, err := child.Output()
	if err != nil {
		return 0, err
	}
	var d time.Duration
	_, err = fmt.Sscan(string(text), (*int64)(&d))
	return d, err
}

// attachHere is the child. The filter is one thread's; the others write the
// result and exit.
func attachHere(in io.Reader, out io.Writer) error {
	raw, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(raw); err != nil {
		return err
	}
	if len(p) == 0 {
		return &bpf.LengthError{}
	}
	filters := make([]unix.SockFilter, len(p))
	for i, in := range p {
		filters[i] = unix.SockFilter{Code: in.Code, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	type result struct {
		took time.Duration
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			done <- result{err: fmt.Errorf("no_new_privs: %w", err)}
			return
		}
		program := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
		start := time.Now()
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
		took := time.Since(start)
		if errno != 0 {
			done <- result{err: fmt.Errorf("seccomp: %w", errno)}
			return
		}
		done <- result{took: took}
		select {}
	}()
	r := <-done
	if r.err != nil {
		return r.err
	}
	_, err = fmt.Fprintln(out, int64(r.took))
	return err
}
