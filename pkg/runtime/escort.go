package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/install/orphan"
)

// An escort is the follower of an exec whose filter has a listener: it knows
// which process entered the container, and hands the listener to the agent
// with that process's id before the program's first instruction.

// escortArg0 is the argument 0 of an escort.
const escortArg0 = "seccomp-hook-escort"

// Descriptors of an escort.
const (
	escortOrderFD = orphan.FirstFile + iota
	escortSocketFD
	escortStderrFD
)

// escortOrder is what the wrapper hands to its escort.
type escortOrder struct {
	Encoded   []byte // the filter
	Followed  int    // the wrapper's process id
	Container specs.State
	Report    reporter
}

// escorted attaches a filter that has a listener to this process.
func (w *wrapper) escorted(c *container, f *filter.Filter, r install.ExecRequest) error {
	o := escortOrder{
		Followed: os.Getpid(),
		Container: specs.State{ // as runc has it for an exec, process_linux.go
			Version:     specs.Version,
			ID:          w.ID,
			Status:      specs.StateRunning,
			Pid:         c.init.PID,
			Bundle:      c.bundle,
			Annotations: c.annotations,
		},
		Report: w.reporter(),
	}
	var err error
	if o.Encoded, err = f.MarshalBinary(); err != nil {
		return err
	}
	memory, err := memoryFile(&o)
	if err != nil {
		return err
	}
	defer memory.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	err = orphan.Start("/proc/self/exe", []string{escortArg0}, faultVariables(), int(memory.Fd()), pair[1], int(os.Stderr.Fd()))
	unix.Close(pair[1])
	if err != nil {
		return fmt.Errorf("start the escort: %w", err)
	}
	// It follows, or says why not.
	answer := make([]byte, 64<<10)
	n, err := readWithin(pair[0], answer)
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("the escort has ended without an answer")
	case string(answer[:n]) != answerDone:
		return errors.New(strings.TrimPrefix(string(answer[:n]), answerFailed))
	}
	listener, err := install.Self(r.Filter)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	// It waits in the escort's socket until a process has entered the container.
	// The escort cannot take it before: while it waits for a message, a signal
	// that stops a thread of this process would stop it for good.
	err = unix.Sendmsg(pair[0], []byte(answerDone), unix.UnixRights(listener), nil, unix.MSG_NOSIGNAL)
	return os.NewSyscallError("sendmsg", err)
}

// escort is the process.
func escort() int {
	runtime.LockOSThread() // a tracee belongs to one thread
	deadline.Set(deadline.Limit)
	if err := orphan.CloseInherited(escortStderrFD + 1); err != nil {
		return 1
	}
	unix.CloseOnExec(escortStderrFD)
	if err := os.Chdir("/"); err != nil {
		return 1
	}
	var o escortOrder
	f := new(filter.Filter)
	err := readMemory(escortOrderFD, &o)
	if err == nil {
		err = f.UnmarshalBinary(o.Encoded)
	}
	var installable install.Filter
	if err == nil {
		installable, err = hook.Installable(f)
	}
	if err == nil {
		err = o.follow(f, installable)
	}
	if err != nil {
		_, _ = unix.Write(escortSocketFD, []byte(answerFailed+err.Error())) // it may be closed, and the wrapper gone
		return 1
	}
	return 0
}

func (o *escortOrder) follow(f *filter.Filter, installable install.Filter) error {
	notified := false
	return install.FollowHere(o.Followed, install.ExecRequest{Filter: installable, Container: o.Container.Pid},
		func(*install.Result) error {
			_, err := unix.Write(escortSocketFD, []byte(answerDone))
			return err
		},
		func(pid int) error {
			if notified {
				return nil // a second process of the same exec
			}
			notified = true
			listener, err := receiveListener(escortSocketFD)
			if err == nil {
				err = hook.Notify(f.Listener, listener, &o.Container, pid)
				listener.Close()
			}
			stderr := os.NewFile(escortStderrFD, "stderr")
			defer stderr.Close()
			if err != nil {
				o.Report.report(stderr, fmt.Errorf("runtime: exec in container %s: %w", o.Container.ID, err))
			}
			return err
		})
}

// receiveListener receives the listener, which was sent before the runtime was
// executed.
func receiveListener(socket int) (*os.File, error) {
	b := make([]byte, len(answerDone))
	rights := make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := unix.Recvmsg(socket, b, rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, errors.New("no listener came")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "seccomp listener"), nil
}

// memoryFile writes a value for another process of this program.
func memoryFile(value any) (*os.File, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("seccomp-hook order", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "order")
	if _, err := file.Write(text); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// readMemory reads what memoryFile has written, and closes the descriptor.
func readMemory(fd int, value any) error {
	file := os.NewFile(uintptr(fd), "order")
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<30)) // the offset is shared, and at the end
	if err != nil {
		return err
	}
	return json.Unmarshal(text, value)
}
