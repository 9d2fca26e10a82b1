package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/printable"
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
	config          *bundle.Config
	StandIn         []byte         // the config.json that stands in
	Filter          *filter.Filter // nil where only the configuration is edited
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

// listen makes the socket on which the hook announces init.
func listen(path string) (int, error) {
	if err := hook.MakeRoot(""); err != nil {
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
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		err = &fs.PathError{Op: "bind", Path: path, Err: err}
	} else {
		err = os.NewSyscallError("listen", unix.Listen(fd, 1))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// attendant is the process that stands by a runtime.
type attendant struct {
	order
	dir      *os.File // the bundle, locked; nil where there is a copy
	copy     string   // of the configuration, edited, for the runtime to read; "" where it stands in
	socket   string   // where the hook announces init
	announce int32    // the socket
	hook     *os.File // the connection
	made     *made    // nil where the container gets no filter
	// giveBack gives the bundle its own config.json back, once.
	giveBack func() error
}

// newAttendant makes an attendant that its hook can find.
func (w *wrapper) newAttendant(o *order, dir *os.File) (*attendant, error) {
	a := &attendant{order: *o, dir: dir, socket: w.socketPath()}
	a.giveBack = sync.OnceValue(a.restore)
	if o.Filter != nil {
		var err error
		if a.made, err = w.newMade(); err != nil {
			return nil, err
		}
	}
	fd, err := listen(a.socket)
	if err != nil {
		return nil, fmt.Errorf("runtime: announcements: %w", err)
	}
	a.announce = int32(fd)
	return a, nil
}

func (a *attendant) attend() error {
	if err := os.Chdir("/"); err != nil { // keep no file system busy
		return errors.Join(err, a.giveBack())
	}
	at(StepAwait)
	deadline.Stay()
	err := a.await()
	deadline.Set(deadline.Limit) // the hook waits
	if a.hook == nil {
		// The runtime has ended, or has made its container without the hook.
		return errors.Join(err, a.unhooked(), a.giveBack())
	}
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

// await waits for the hook, for the end of the runtime, or for a container that it
// has made without the hook.
func (a *attendant) await() error {
	poll := []unix.PollFd{{Fd: a.announce, Events: unix.POLLIN}, {Fd: callerFD, Events: unix.POLLIN}}
	patience := -1
	if a.made != nil {
		patience = int(lookEvery.Milliseconds())
	}
	for {
		if _, err := unix.Poll(poll, patience); err != nil && err != unix.EINTR {
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
		case poll[1].Revents != 0, a.made != nil && a.made.unhooked() != nil:
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
	if a.copy != "" {
		return errors.Join(err, ignoreAbsent(os.Remove(a.copy)))
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
	if a.Filter == nil { // the configuration alone was to be another one
		err := a.giveBack()
		if err == nil {
			err = a.answer(nil)
		}
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
		text = answerFailed + printable.Text(err.Error())
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
		if pid, err := strconv.Atoi(strings.TrimSuffix(e.Name(), copySuffix)); err == nil && unix.Kill(pid, 0) == unix.ESRCH {
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
