//go:build linux

package install

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

var orders = []*order{
	{pid: 1, Request: Request{Filter: denying(1)}},
	{pid: 1 << 22, container: 7, Request: Request{Filter: Filter{Program: bpf.Program{bpf.Ret(bpf.RetAllow)}, Flags: NewListener | Log}, NoNewPrivileges: true}},
	{pid: 3, Request: Request{Filter: denying(2), Parent: 9, Runtimes: []string{"runc", "runc.real"}}},
}

func TestOrder(t *testing.T) {
	for _, o := range orders {
		got, err := decodeOrder(o.encode())
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%+v\nbecame %+v, %v", o, got, err)
		}
	}
}

// The biggest program fits into one message.
func TestBiggestOrder(t *testing.T) {
	o := &order{pid: 1, Request: Request{Filter: Filter{Program: make(bpf.Program, bpf.MaxInstructions)}}}
	for i := range o.Filter.Program {
		o.Filter.Program[i] = bpf.Ret(bpf.RetAllow)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := send(pair[0], o.encode(), -1); err != nil {
		t.Fatal(err)
	}
	b, fd, err := receive(pair[1])
	if err != nil || fd != -1 {
		t.Fatal(fd, err)
	}
	if got, err := decodeOrder(b); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("%v", err)
	}
}

// An error keeps its text, its step and what it wraps on its way back.
func TestAnswer(t *testing.T) {
	for _, a := range []*answer{
		{listener: -1, result: Result{Mode: ModeSuspend, Threads: 5, Seize: time.Millisecond, Attach: 3 * time.Microsecond}},
		{listener: -1, failure: &Error{Step: StepSeize, PID: 7, Err: ErrGone}},
		{listener: -1, failure: &Error{Step: StepSeize, PID: 7, Err: &detailed{ErrTraced, "by process 9"}}},
		{listener: -1, failure: &Error{Step: StepAttach, PID: 7, Err: &SeccompError{Length: 3, Flags: TSync, Thread: 12, Errno: unix.ESRCH}}},
		{listener: -1, failure: &Error{Step: StepMap, PID: 7, Err: unix.ENOMEM}},
		{listener: -1, failure: &Error{Step: StepMap, PID: 7, Err: errors.New("something else")}},
	} {
		got, err := decodeAnswer(a.encode())
		if err != nil {
			t.Fatal(err)
		}
		if a.failure == nil {
			if got.result != a.result || got.failure != nil {
				t.Errorf("%+v became %+v", a, got)
			}
			continue
		}
		if got.failure.Error() != a.failure.Error() || got.failure.Step != a.failure.Step || got.failure.PID != a.failure.PID {
			t.Errorf("%v became %v", a.failure, got.failure)
		}
		var want, seccomp *SeccompError
		if errors.As(a.failure, &want) && (!errors.As(got.failure, &seccomp) || *seccomp != *want) {
			t.Errorf("%v became %v", want, seccomp)
		}
		for _, reason := range append(reasons[1:], unix.ENOMEM, unix.ESRCH) {
			if errors.Is(a.failure, reason) != errors.Is(got.failure, reason) {
				t.Errorf("%v became %v: differs in %v", a.failure, got.failure, reason)
			}
		}
	}
}

// Whatever bytes arrive, decoding ends without a panic, and what it accepts is
// valid.
func FuzzMessage(f *testing.F) {
	for _, o := range orders {
		b := o.encode()
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(b, 0))
	}
	f.Add((&answer{failure: &Error{Err: ErrGone}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOrder(b); err == nil {
			if err := o.Filter.Program.Validate(); err != nil {
				t.Errorf("accepted %v", err)
			}
			if again, err := decodeOrder(o.encode()); err != nil || !reflect.DeepEqual(again, o) {
				t.Errorf("%+v became %+v, %v", o, again, err)
			}
		}
		_, _ = decodeAnswer(b)
	})
}
