package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/orphan"
	"seccomp-hook/pkg/spec"
)

// Names of annotations.
const (
	filterAnnotation = filter.AnnotationProfile
	storeAnnotation  = filter.AnnotationStore
	storeHit         = filter.Hit
)

// attendantDir has a socket for each attendant that has not met its hook yet.
// It is for root alone.
const attendantDir = hook.DefaultRoot + "/attendants"

// order is what an attendant is to do for its container.
type order struct {
	StandIn         []byte // the config.json that stands in
	Filter          *filter.Filter
	Annotations     map[string]string
	NoNewPrivileges bool
	Runtimes        []string
	StateRoot       string // where the runtime keeps its containers
	// Foreground: the runtime stays until the container has ended, and deletes
	// it then.
	Foreground bool
	// Report tells of a failed installation where the runtime does not: crun
	// does not pass on what its hooks say.
	Report   reporter
	Dispatch string // install.Areas, "" for none
}

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
	bundleFD  = socketFD     // the bundle, locked
	standInFD = bundleFD + 1 // the file in the place of its config.json, empty, with a write lease
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
func startAttendant(args []string) (real string, code int, err error) {
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return "", 0, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(self)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", 0, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	err = orphan.Start("/proc/self/exe", append([]string{attendantArg0}, args...), os.Environ(), self, int(os.Stderr.Fd()), pair[1])
	unix.Close(pair[1])
	if err != nil {
		return "", 0, err
	}
	answer := make([]byte, unix.PathMax)
	n, err := unix.Read(pair[0], answer)
	switch {
	case err != nil:
		return "", 0, os.NewSyscallError("read", err)
	case n > 1 && answer[0] == exitAnswer:
		return "", int(answer[1]), nil
	case n > 1 && answer[0] == '/':
		return string(answer[:n]), 0, nil
	}
	return "", 0, errors.New("it has ended")
}

// listen makes the socket on which the hook announces init.
func listen(path string) (int, error) {
	if err := os.MkdirAll(hook.DefaultRoot, 0o711); err != nil {
		return -1, err
	}
	if err := os.Mkdir(attendantDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(attendantDir, &st); err != nil {
		return -1, &fs.PathError{Op: "lstat", Path: attendantDir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o077 != 0 {
		return -1, fmt.Errorf("%s is not a directory of root's alone", attendantDir)
	}
	// The number was another process's, whose attendant was killed.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: path})); err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, 1))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// attend is the attendant: it does for the process that started it what the
// command asks for, and stands by that process while it is the runtime.
func attend(args []string, ahead bool) int {
	// It may become the tracer, and that is a thread.
	runtime.LockOSThread()
	last := uint(socketFD)
	if ahead {
		last = standInFD
	}
	if err := unix.CloseRange(last+1, ^uint(0)>>1, 0); err != nil && err != unix.ENOSYS {
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
	if err != nil || a == nil {
		if err != nil {
			return exitFailure
		}
		return 0
	}
	// From here on there is nobody to report to but the hook, and, once that has
	// returned, nobody at all; what is left then fails closed.
	w.stderr.Close()    // somebody may read it to its end
	err = os.Chdir("/") // keep no file system busy
	if err == nil {
		err = a.attend()
	}
	if err = errors.Join(err, a.giveBack()); err != nil {
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
	err = tellCaller([]byte(w.real)...)
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
		}
	}
	if err != nil {
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
	return a, errors.Join(err, file.Close())
}

// prepareAhead makes the text of a stand-in: an edited config.json, or, where
// the container gets no filter, the bundle's own one, and no attendant.
func (w *wrapper) prepareAhead(s *standIn) (*attendant, error) {
	o, err := w.order(s.dir, originalName)
	if err != nil {
		return nil, err
	}
	if o == nil {
		s.text, err = readConfig(s.dir, originalName, spec.MaxSize)
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

// attendant is the process that stands by a runtime.
type attendant struct {
	order
	dir      *os.File // the bundle, locked
	socket   string   // where the hook announces init
	announce int32    // the socket
	hook     *os.File // the connection
	// giveBack waits until the bundle has its own config.json back.
	giveBack func() error
}

// newAttendant makes an attendant that its hook can find.
func (w *wrapper) newAttendant(o *order, dir *os.File) (*attendant, error) {
	a := &attendant{order: *o, dir: dir, socket: w.socketPath()}
	a.giveBack = sync.OnceValue(a.restore)
	fd, err := listen(a.socket)
	if err != nil {
		return nil, fmt.Errorf("runtime: announcements: %w", err)
	}
	a.announce = int32(fd)
	return a, nil
}

func (a *attendant) attend() error {
	at(StepAwait)
	err := a.await()
	if a.hook == nil { // the runtime has ended
		return errors.Join(err, a.giveBack())
	}
	// Another thread does it meanwhile; the hook waits for both.
	go func() { _ = a.giveBack() }()
	if err == nil {
		err = a.install()
	}
	err = errors.Join(err, a.giveBack())
	if err != nil {
		a.Report.log("error", "seccomp-hook: "+err.Error())
		err = errors.Join(err, a.answer(err))
	}
	return err
}

// await waits for the hook, or for the end of the runtime.
func (a *attendant) await() error {
	poll := []unix.PollFd{{Fd: a.announce, Events: unix.POLLIN}, {Fd: callerFD, Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		switch {
		case poll[0].Revents != 0:
			fd, _, err := unix.Accept4(int(a.announce), unix.SOCK_CLOEXEC)
			if err == unix.EINTR || err == unix.ECONNABORTED {
				continue
			}
			if err != nil {
				return os.NewSyscallError("accept", err)
			}
			a.hook = os.NewFile(uintptr(fd), "hook")
			return unix.Close(int(a.announce))
		case poll[1].Revents != 0:
			return nil
		}
	}
}

// restore gives the bundle its own config.json back, and unlocks it.
func (a *attendant) restore() error {
	at(StepGiveBack)
	err := os.Remove(a.socket)
	if errors.Is(err, fs.ErrNotExist) { // swept
		err = nil
	}
	return errors.Join(err, (&standIn{dir: a.dir, text: a.StandIn}).Restore(), a.dir.Close())
}

// install installs the filter into the init that the hook announces, lets the
// hook return, and stays until init has executed the container's program.
func (a *attendant) install() error {
	at(StepInstall)
	begin := time.Now()
	peer, err := unix.GetsockoptUcred(int(a.hook.Fd()), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if peer.Uid != 0 {
		return fmt.Errorf("announced by uid %d", peer.Uid)
	}
	parent, err := parentOf(int(peer.Pid))
	if err != nil {
		return err
	}
	state, err := hook.ReadState(a.hook)
	if err != nil {
		return err
	}
	installable, err := hook.Installable(a.Filter)
	if err != nil {
		return err
	}
	init, err := hook.InitOf(state.Pid)
	if err != nil {
		return err
	}
	request := install.Request{
		Filter:          installable,
		NoNewPrivileges: a.NoNewPrivileges,
		Parent:          parent,
		Runtimes:        a.Runtimes,
	}
	if err := a.dispatch(&request, state.ID); err != nil {
		return err
	}
	started := false
	err = install.Here(state.Pid, request, func(r *install.Result) error {
		at(StepFinish)
		err := hook.Finish("", state, a.Filter, a.Annotations, r, time.Since(begin))
		if err == nil && r.Mode == install.ModeSuspend && r.Listener == nil {
			err = hook.PublishTicket("", state.ID, init, a.StateRoot, installable)
		}
		if err == nil {
			err = a.giveBack()
		}
		if err == nil {
			at(StepAnswer)
			err = a.answer(nil)
		}
		return err
	}, func(pid int) error {
		started = started || pid == state.Pid
		return nil
	})
	at(StepLeave)
	sweepSockets()
	if a.Foreground && err == nil {
		err = a.awaitEnd()
	}
	if hook.Killed("", state.ID) {
		return err // state says why; there is nowhere else to look
	}
	if !started || a.Foreground && !init.Alive() {
		err = errors.Join(err, hook.Forget("", state.ID, init))
	}
	return err
}

// answer lets the hook return. It is an error if the hook is not there any
// more: then the runtime does not create the container.
func (a *attendant) answer(err error) error {
	text := answerDone
	if err != nil {
		text = answerFailed + err.Error()
	}
	_, writeErr := a.hook.WriteString(text)
	return errors.Join(writeErr, a.hook.Close())
}

// sweepSockets removes the sockets of attendants that were killed. Each has the
// name of a process, whose attendant cannot be there any more once it has
// ended, but for the moment in which the attendant itself removes it.
func sweepSockets() {
	entries, err := os.ReadDir(attendantDir)
	if err != nil {
		return // the next one sweeps
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			_ = os.Remove(filepath.Join(attendantDir, e.Name())) // or the next one does
		}
	}
}

// awaitEnd waits for the end of the runtime.
func (a *attendant) awaitEnd() error {
	poll := []unix.PollFd{{Fd: callerFD, Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}
