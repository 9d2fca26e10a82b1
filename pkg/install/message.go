//go:build linux

package install

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The hook and the installer talk over a SOCK_SEQPACKET socket: one request,
// one answer, which may carry the listener. They are the same program, so the
// form is free; the first word only catches an executable that was replaced in
// between. The biggest request, 4096 instructions, is within the default
// socket buffer.
const protocol = 0x53494e31 // "SIN1"

// maxMessage bounds a message: a program and some text.
const maxMessage = 8*bpf.MaxInstructions + 16<<10

// socketFD and pidfdFD are where the installer finds its two descriptors.
const (
	socketFD = 3
	pidfdFD  = 4
)

// encoder and decoder are the flat form of a message: 64-bit words, and byte
// strings with their length before them.
type encoder []byte

func (e *encoder) word(v uint64)   { *e = binary.NativeEndian.AppendUint64(*e, v) }
func (e *encoder) bytes(b []byte)  { e.word(uint64(len(b))); *e = append(*e, b...) }
func (e *encoder) string(s string) { e.bytes([]byte(s)) }

type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) word() uint64 {
	if len(d.rest) < 8 {
		d.bad, d.rest = true, nil
		return 0
	}
	v := binary.NativeEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.word()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

// done returns an error where the message did not have the form expected.
func (d *decoder) done() error {
	if d.bad || len(d.rest) != 0 {
		return errors.New("malformed message")
	}
	return nil
}

// order is a request on its way to the installer.
// Its Outcome goes beside it, as a descriptor.
type order struct {
	pid       int // the process to seize
	container int // 0: pid is a container's init; else, pid is going to enter the container of this init
	Request
}

func (o *order) encode() []byte {
	var e encoder
	e.word(protocol)
	e.word(uint64(o.pid))
	e.word(uint64(o.container))
	e.word(uint64(o.Parent))
	e.word(flag(o.NoNewPrivileges))
	e.word(uint64(o.Filter.Flags))
	raw, _ := o.Filter.Program.MarshalBinary() // never fails
	e.bytes(raw)
	e.word(uint64(len(o.Runtimes)))
	for _, name := range o.Runtimes {
		e.string(name)
	}
	areas := ""
	if o.Dispatch != nil {
		areas = o.Dispatch.String()
	}
	e.string(areas)
	return e
}

func decodeOrder(b []byte) (*order, error) {
	d := decoder{rest: b}
	if d.word() != protocol {
		return nil, errors.New("not a request of this version")
	}
	o := &order{pid: int(d.word()), container: int(d.word())}
	o.Parent = int(d.word())
	o.NoNewPrivileges = d.word() != 0
	o.Filter.Flags = Flags(d.word())
	raw := d.bytes()
	for n := d.word(); n > 0 && !d.bad; n-- {
		o.Runtimes = append(o.Runtimes, d.string())
	}
	areas := d.string()
	if err := d.done(); err != nil {
		return nil, err
	}
	if areas != "" {
		var err error
		if o.Dispatch, err = ParseAreas(areas); err != nil {
			return nil, err
		}
	}
	if err := o.Filter.Program.UnmarshalBinary(raw); err != nil {
		return nil, err
	}
	if err := o.Filter.Program.Validate(); err != nil {
		return nil, err
	}
	return o, nil
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// reasons are the errors that keep their identity on their way back. The index
// is what is sent; 0 is none of them.
var reasons = []error{
	1: ErrGone,
	2: ErrTraced,
	3: ErrNotRuntime,
	4: ErrSuspend,
	5: ErrUnfiltered,
	6: ErrEarlyExec,
	7: ErrUnsupported,
	8: ErrHostMounts,
	9: ErrNoDispatch,
}

// answer is what the installer says: a Result, or an Error.
type answer struct {
	result   Result // without the listener, which goes beside it
	listener int    // -1: none
	failure  *Error
}

func (a *answer) encode() []byte {
	var e encoder
	e.word(protocol)
	e.word(flag(a.failure != nil))
	if a.failure == nil {
		e.string(string(a.result.Mode))
		e.word(uint64(a.result.Threads))
		e.word(uint64(a.result.Seize))
		e.word(uint64(a.result.Attach))
		return e
	}
	f := a.failure
	e.word(uint64(f.Step))
	e.word(uint64(f.PID))
	e.string(f.Detail)
	e.word(uint64(max(0, slices.IndexFunc(reasons, func(r error) bool { return r != nil && errors.Is(f.Err, r) }))))
	var seccomp *SeccompError
	errors.As(f.Err, &seccomp)
	if seccomp == nil {
		seccomp = &SeccompError{}
	}
	e.word(uint64(seccomp.Length))
	e.word(uint64(seccomp.Flags))
	e.word(uint64(seccomp.Thread))
	e.word(uint64(seccomp.Errno))
	var errno unix.Errno
	errors.As(f.Err, &errno)
	e.word(uint64(errno))
	e.string(f.Err.Error())
	return e
}

func decodeAnswer(b []byte) (*answer, error) {
	d := decoder{rest: b}
	if d.word() != protocol {
		return nil, errors.New("not an answer of this version")
	}
	a := &answer{listener: -1}
	if failed := d.word() != 0; !failed {
		a.result.Mode = Mode(d.string())
		a.result.Threads = int(d.word())
		a.result.Seize = time.Duration(d.word())
		a.result.Attach = time.Duration(d.word())
		return a, d.done()
	}
	f := &Error{Step: Step(d.word()), PID: int(d.word()), Detail: d.string()}
	reason := d.word()
	seccomp := &SeccompError{Length: int(d.word()), Flags: Flags(d.word()), Thread: int(d.word()), Errno: unix.Errno(d.word())}
	errno := unix.Errno(d.word())
	text := d.string()
	switch {
	case reason > 0 && reason < uint64(len(reasons)):
		f.Err = &relayed{text, reasons[reason]}
	case seccomp.Errno != 0:
		f.Err = &relayed{text, seccomp}
	case errno != 0:
		f.Err = &relayed{text, errno}
	default:
		f.Err = errors.New(text)
	}
	a.failure = f
	return a, d.done()
}

// relayed is an error that came from the installer: its text, and what it
// wraps.
type relayed struct {
	text string
	err  error
}

func (r *relayed) Error() string { return r.text }
func (r *relayed) Unwrap() error { return r.err }

// send sends one message, with a descriptor where fd is not -1.
func send(socket int, b []byte, fd int) error {
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	for {
		err := unix.Sendmsg(socket, b, rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// receive receives one message, and its descriptor or -1. An empty message is
// the end: the other side has closed its socket or is no more.
func receive(socket int) (b []byte, fd int, err error) {
	b = make([]byte, maxMessage)
	rights := make([]byte, unix.CmsgSpace(4))
	for {
		n, m, flags, _, err := unix.Recvmsg(socket, b, rights, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, -1, os.NewSyscallError("recvmsg", err)
		case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			return nil, -1, fmt.Errorf("recvmsg: message longer than %d bytes", maxMessage)
		}
		fd, err := descriptor(rights[:m])
		return b[:n], fd, err
	}
}

// descriptor takes the one descriptor out of a control message, -1 where there
// is no message.
func descriptor(rights []byte) (int, error) {
	if len(rights) == 0 {
		return -1, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return -1, fmt.Errorf("control message: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, fmt.Errorf("control message: %w", err)
	}
	return fds[0], nil
}
