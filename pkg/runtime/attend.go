package runtime

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/install/orphan"
)

// An attendant is started in one of two ways, which its argument 0 tells: the
// caller waits for it, or becomes the runtime at once (cmd/seccomp-runc,
// attend.c) and waits, as the runtime, when it opens config.json.
const (
	attendantArg0 = "seccomp-hook-attendant"
	aheadArg0     = "seccomp-hook-attendant-ahead"
)

// Descriptors that an attendant is started with.
const (
	callerFD = orphan.FirstFile + iota // a pidfd of the process that is going to be the runtime
	stderrFD                           // that process's standard error
	// Where the caller waits.
	socketFD // to the caller
	// Where it does not.
	bundleFD  = socketFD      // the bundle, locked
	standInFD = bundleFD + 1  // the file in the place of its config.json, empty, with a write lease
	guardFD   = standInFD + 1 // a pipe to the process that would put things right if this one were killed
)

// What an attendant tells a caller that waits: the path of the real runtime,
// which it is to execute, or that it is to exit, and with what code, after this
// byte.
const exitAnswer = 'x'

// startAttendant starts an attendant with the command line of this process,
// and returns the real runtime's path once all is prepared for it; or the code
// to exit with, where the attendant has told why.
//
// It is a process of its own because the runtime reads config.json and calls
// its hooks when there is nobody else left: the attendant gives the bundle its
// own config.json back and installs the filter, and does the former also where
// the runtime ends without calling a hook. It stays as tracer until init has
// executed the container's program.
//
// Where the runtime is to read another configuration than its command line
// says, that one's path is returned, too.
func startAttendant(args []string) (real, config string, code int, err error) {
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return "", "", 0, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(self)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", "", 0, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	err = orphan.Start("/proc/self/exe", append([]string{attendantArg0}, args...), os.Environ(), self, int(os.Stderr.Fd()), pair[1])
	unix.Close(pair[1])
	if err != nil {
		return "", "", 0, err
	}
	answer := make([]byte, 2*unix.PathMax)
	n, err := readWithin(pair[0], answer)
	switch {
	case err != nil:
		return "", "", 0, err
	case n > 1 && answer[0] == exitAnswer:
		return "", "", int(answer[1]), nil
	case n > 1 && answer[0] == '/':
		real, config, _ = strings.Cut(string(answer[:n]), "\x00")
		return real, config, 0, nil
	}
	return "", "", 0, errors.New("it has ended")
}

// attend is the attendant: it does for the process that started it what the
// command asks for, and stands by that process while it is the runtime.
func attend(args []string, ahead bool) int {
	// It may become the tracer, and that is a thread.
	runtime.LockOSThread()
	deadline.Set(deadline.Limit)
	last := socketFD
	if ahead {
		last = guardFD
	}
	if err := orphan.CloseInherited(last + 1); err != nil {
		return exitFailure
	}
	unix.CloseOnExec(stderrFD)
	w := &wrapper{Invocation: &Invocation{}, stderr: os.NewFile(stderrFD, "stderr")}
	var a *attendant
	var err error
	if ahead {
		a, err = w.attendAhead(args)
	} else {
		a, err = w.attendFirst(args)
	}
	switch {
	case err != nil:
		return exitFailure
	case a == nil:
		return 0
	}
	// From here on there is nobody to report to but the hook, and, once that has
	// returned, nobody at all; what is left then fails closed.
	w.stderr.Close() // somebody may read it to its end
	if err := a.attend(); err != nil {
		return exitFailure
	}
	return 0
}

// attendFirst prepares for the runtime, and then lets the caller become it. It
// returns no attendant where there is nothing to attend to. An error has been
// reported.
func (w *wrapper) attendFirst(args []string) (*attendant, error) {
	a, err := w.prepareFirst(args)
	if err != nil {
		_ = tellCaller(exitAnswer, byte(w.fail(err))) // it may be gone
		return nil, err
	}
	answer := w.real
	if a != nil && a.copy != "" {
		answer += "\x00" + a.copy
	}
	err = tellCaller([]byte(answer)...)
	if err == nil {
		err = unix.Close(socketFD)
	}
	if err != nil && a != nil {
		err = errors.Join(err, a.giveBack())
	}
	return a, err
}

func (w *wrapper) prepareFirst(args []string) (*attendant, error) {
	if err := w.prepareFor(callerFD, args); err != nil {
		return nil, err
	}
	if w.ID == "" {
		return nil, nil // the real runtime says what is missing, or prints its help
	}
	if path := w.ownConfig(); path != "" {
		return w.prepareOwn(path)
	}
	at(StepLock)
	dir, err := lockBundle(w.bundle())
	if err != nil {
		return nil, err
	}
	o, err := w.order(dir, configName)
	if o == nil {
		dir.Close()
		return nil, err
	}
	a, err := w.newAttendant(o, dir)
	if err == nil {
		at(StepReplace)
		if _, err = place(dir, a.StandIn); err != nil {
			_ = os.Remove(a.socket) // err counts
			err = w.nativeInstead(o.config, err)
			a = nil
		}
	}
	if err != nil || a == nil {
		dir.Close()
		return nil, err
	}
	return a, nil
}

// attendAhead prepares while the caller becomes the runtime, which waits for it
// when it opens config.json. It returns no attendant where there is nothing to
// attend to. An error has been reported, and the caller ended.
func (w *wrapper) attendAhead(args []string) (*attendant, error) {
	err := w.prepareFor(callerFD, args)
	s := &standIn{dir: os.NewFile(bundleFD, w.bundle())}
	file := os.NewFile(standInFD, configName)
	var a *attendant
	if err == nil {
		a, err = w.prepareAhead(s)
	}
	if err == nil {
		at(StepReplace)
		_, err = file.Write(s.text)
	}
	if err != nil {
		if a != nil {
			_ = os.Remove(a.socket) // err counts
		}
		// The caller has ended when there is something to be read again.
		endErr := install.End(callerFD, w.pid, w.fail(err), s.putBack)
		return nil, errors.Join(err, endErr, file.Close(), s.dir.Close())
	}
	if a == nil {
		err = errors.Join(s.putBack(), s.dir.Close()) // it has the same text
	}
	// Give the lease back: the runtime may read.
	if _, leaseErr := unix.FcntlInt(standInFD, unix.F_SETLEASE, unix.F_UNLCK); leaseErr != nil {
		err = errors.Join(err, os.NewSyscallError("fcntl", leaseErr))
	}
	if err == nil {
		// From here on it is the hook that gives the bundle its own config.json
		// back where there is no attendant any more.
		_, _ = unix.Write(guardFD, []byte{0}) // it may be gone
	}
	return a, errors.Join(err, unix.Close(guardFD), file.Close())
}

// prepareAhead makes the text of a stand-in: an edited config.json, or, where
// the container gets no filter, the bundle's own one, and no attendant.
func (w *wrapper) prepareAhead(s *standIn) (*attendant, error) {
	o, err := w.order(s.dir, originalName)
	if err != nil {
		return nil, err
	}
	if o == nil {
		s.text, err = readConfig(s.dir, originalName, maxConfig)
		return nil, err
	}
	s.text = o.StandIn
	return w.newAttendant(o, s.dir)
}

// prepareFor is prepare for another process.
func (w *wrapper) prepareFor(pidfd int, args []string) (err error) {
	if w.pid, err = processOf(pidfd); err != nil {
		return fmt.Errorf("runtime: find the caller: %w", err)
	}
	return w.prepare(args)
}

// tellCaller answers a caller that waits.
func tellCaller(answer ...byte) error {
	_, err := unix.SendmsgN(socketFD, answer, nil, nil, unix.MSG_NOSIGNAL)
	return os.NewSyscallError("sendmsg", err)
}

// readWithin reads an answer of a process that has a deadline itself; the longer
// wait is for one that was stopped before it had.
func readWithin(socket int, answer []byte) (int, error) {
	limit := 2 * deadline.Limit
	timeout := unix.NsecToTimeval(int64(limit))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	for {
		n, err := unix.Read(socket, answer)
		switch err {
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, fmt.Errorf("no answer within %s", limit)
		default:
			return n, os.NewSyscallError("read", err)
		}
	}
}
