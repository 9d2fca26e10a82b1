package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/record"
	"seccomp-hook/pkg/watch"
)

func recordCommand() *cobra.Command {
	var r recording
	cmd := &cobra.Command{
		Use:   "record (ID | --pid N | -- COMMAND…) [flags]",
		Short: "Write a profile of the calls that a container makes",
		Long: `Write a profile that allows the calls that a container, or a command, makes, and
nothing else; or with --base a profile with what it lacks for them. Where Docker's
default profile, or the base, looks at the arguments of a call, so does it.

The profile is compiled, proved, and asked for every call, before it is written,
whole or not at all, for its owner alone. It ends with the container or command,
after --for, or when it is interrupted.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				args, r.command = args[:at], args[at:]
			}
			return r.run(cmd, args)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&r.pid, "pid", 0, "a process of the container; its PID namespace, or where that is the host's, the process and what descends from it")
	flags.StringVar(&r.base, "base", "", "`PROFILE` to begin with")
	flags.StringVarP(&r.output, "output", "o", "", "`FILE` to write, else stdout")
	flags.DurationVar(&r.duration, "for", 0, "how long, such as 10s (default: until the end)")
	flags.BoolVar(&r.denied, "denied", false, "allow also what the container's present filter does not let it do")
	flags.BoolVar(&r.native, "native", false, "allow also what runc and crun do between installing a filter and executing the program")
	flags.StringVar(&r.target.caps, "caps", "", "`SET` of capabilities that the base is resolved for")
	flags.IntVar(&r.init, "init", 0, "first process of a container that is being created")
	flags.IntVar(&r.ready, "ready", -1, "descriptor that is told when all is attached")
	rootFlag(cmd, &r.root)
	for _, name := range []string{"init", "ready"} {
		_ = flags.MarkHidden(name) // they are the hook's
	}
	return cmd
}

// recording is the command.
type recording struct {
	pid, init, ready int
	told             *os.File // by ready, until it was told
	command          []string
	base, output     string
	root             string
	duration         time.Duration
	denied, native   bool
	target           target
}

// nativeCalls are what runc (1.1, 1.5) and crun (1.8) call between installing a
// filter on themselves and executing the container's program, beside what the Go
// runtime does then. The test that runs a container under a recorded profile
// shows that none is missing.
var nativeCalls = strings.Fields(`
	access arch_prctl brk capget capset chdir clock_gettime clone close close_range dup2 dup3 epoll_ctl epoll_pwait eventfd2 exit exit_group faccessat faccessat2 fchdir fchown
	fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid getgid getgroups getpid getppid getrandom gettid getuid ioctl
	lseek madvise mmap mprotect munmap nanosleep newfstatat openat openat2 pipe2 prctl prlimit64 read readlinkat rt_sigaction
	rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield set_robust_list set_tid_address setgid setgroups setresgid setresuid setuid
	sigaltstack stat statfs statx tgkill timer_create timer_delete timer_settime umask uname write writev`)

func (r *recording) run(cmd *cobra.Command, args []string) (err error) {
	if r.ready >= 0 {
		r.told = os.NewFile(uintptr(r.ready), "ready")
		// Who waits for it learns of an error by it; later there is nobody, and
		// no other place than beside the profile.
		defer func() {
			switch {
			case err != nil && r.told != nil:
				fmt.Fprint(r.told, err)
				r.told.Close()
			case err != nil:
				_ = os.WriteFile(r.output+".error", []byte(err.Error()+"\n"), 0o600)
			}
		}()
	}
	base := &record.Base{Extend: r.base != ""}
	name := r.base
	if name == "" {
		name = "builtin:docker"
	}
	if base.Request, err = r.target.request(name); err != nil {
		return err
	}
	policy, _, err := base.Request.Policy()
	if err != nil {
		return err
	}
	out, err := newOutput(r.output)
	if err != nil {
		return err
	}
	defer out.discard()
	looked := map[watch.Call]uint8{}
	record.Looked(policy, func(token, nr uint32, arguments uint8) { looked[watch.Call{Token: token, Nr: nr}] = arguments })
	return r.record(cmd, args, base, looked, out)
}

// record records to the end.
func (r *recording) record(cmd *cobra.Command, args []string, base *record.Base, looked map[watch.Call]uint8, out *output) error {
	if err := positive(cmd, "pid", "for"); err != nil {
		return err
	}
	given := len(args)
	for _, is := range []bool{r.pid != 0, r.init != 0, len(r.command) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return usage("one of ID, --pid and -- COMMAND is needed")
	}
	var scope watch.Scope
	var err error
	pid := r.pid
	var child *command
	switch {
	case len(args) == 1:
		if pid, _, err = containerInit(r.root, args[0]); err == nil {
			scope, err = watch.Of(pid)
		}
	case r.init != 0:
		pid = r.init
		scope, err = watch.StartedIn(pid)
	case r.pid != 0:
		scope, err = watch.Of(pid)
	default:
		if child, err = startCommand(r.command, cmd); err == nil {
			pid = child.process.Pid
			scope, err = watch.Tree(pid)
		}
	}
	if err != nil && child == nil {
		err = needsRoot(err)
	}
	if err != nil {
		return err
	}
	w, err := watch.New(watch.Options{Scope: scope, Arguments: looked})
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // it ends with the process anyhow
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	ended, err := endOf(pid)
	if err != nil {
		return err
	}
	if err := w.Start(r.init == 0); err != nil {
		return err
	}
	if r.told != nil {
		if _, err := r.told.WriteString("+"); err != nil {
			return err
		}
		r.told.Close()
		r.told = nil
	}
	if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: recording the calls of process %d\n", cmd.CommandPath(), pid); err != nil && r.init == 0 {
		return err
	}
	status := 0
	if child != nil {
		context.AfterFunc(ctx, stop) // a second signal is for this process
		status = r.follow(ctx, child)
	} else {
		r.wait(ctx, ended)
	}
	if err := w.Stop(); err != nil {
		return err
	}
	if err := r.write(cmd, w, base, out); err != nil {
		return err
	}
	if status != 0 {
		return &exitError{code: status}
	}
	return nil
}

// over returns the channel that tells when --for has passed, nil without it.
func (r *recording) over() <-chan time.Time {
	if r.duration > 0 {
		return time.After(r.duration)
	}
	return nil
}

func (r *recording) wait(ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-r.over():
	case <-ended:
	}
}

// follow lets a command run, to its end or until it is told to end, and returns its
// exit code; 0 where it was told to.
func (r *recording) follow(ctx context.Context, c *command) int {
	c.release <- struct{}{}
	select {
	case status := <-c.status:
		return status
	case <-ctx.Done():
	case <-r.over():
	}
	_ = c.process.Signal(unix.SIGTERM) // it may have ended
	<-c.status
	return 0
}

// write makes the profile of what was seen.
func (r *recording) write(cmd *cobra.Command, w *watch.Watcher, base *record.Base, out *output) error {
	counts, err := w.Read()
	if err != nil {
		return err
	}
	arguments, err := w.Arguments()
	if err != nil {
		return err
	}
	var warnings []string
	if counts.Lost != (watch.Lost{}) {
		return fmt.Errorf("calls were lost, so there is no profile: %d calls, %d processes", counts.Lost.Counts, counts.Lost.Processes)
	}
	if len(counts.Calls) == 0 {
		return errors.New("no calls were seen, so there is no profile")
	}
	var calls []record.Call
	for i := range counts.Calls {
		c := &counts.Calls[i]
		if c.Executed() == 0 && !r.denied {
			warnings = append(warnings, fmt.Sprintf("%s was denied %d times and is left out (--denied)", explain.Name(c.Token, c.Nr), c.Denied()))
			continue
		}
		calls = append(calls, record.Call{Token: c.Token, Nr: c.Nr, Arguments: arguments[c.Call]})
	}
	native := arch.Native()
	more := []string{"execve"} // the runtime's, of the program itself
	if r.native {
		more = append(more, nativeCalls...)
	}
	for _, name := range more {
		nr, known := native.Number(name)
		if known && !slices.ContainsFunc(calls, func(c record.Call) bool { return c.Token == native.Audit && c.Nr == nr }) && name != "clone" {
			calls = append(calls, record.Call{Token: native.Audit, Nr: nr})
		}
	}
	text, unnamed, err := record.Profile(calls, base)
	if err != nil {
		return err
	}
	for _, c := range unnamed {
		warnings = append(warnings, fmt.Sprintf("%s has no name and is left out", explain.Name(c.Token, c.Nr)))
	}
	tell(cmd, warnings)
	return out.write(cmd.OutOrStdout(), text)
}

// output is a file that is there whole or not at all, or a device or pipe.
type output struct {
	path string
	file *os.File
	// direct says that file is what path names, else it gets that name.
	direct bool
}

// newOutput makes sure that a file can be written, before anything is recorded.
func newOutput(path string) (*output, error) {
	o := &output{path: path}
	if path == "" {
		return o, nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, &fs.PathError{Op: "write", Path: path, Err: unix.EISDIR}
	case err == nil && !info.Mode().IsRegular():
		o.direct = true
		o.file, err = os.OpenFile(path, os.O_WRONLY, 0)
	default:
		o.file, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // for its owner alone
	}
	if failed := new(fs.PathError); errors.As(err, &failed) {
		err = &fs.PathError{Op: "write", Path: path, Err: failed.Err}
	}
	return o, err
}

func (o *output) write(stdout io.Writer, text []byte) error {
	if o.file == nil {
		_, err := stdout.Write(text)
		return err
	}
	_, err := o.file.Write(text)
	if o.direct {
		return err
	}
	if err == nil {
		err = o.file.Sync()
	}
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	return err
}

// discard removes what was not written.
func (o *output) discard() {
	if o.file == nil {
		return
	}
	if !o.direct {
		_ = os.Remove(o.file.Name()) // it has another name if it was
	}
	o.file.Close()
}

// command is a command that has executed its program and not run it yet.
type command struct {
	process *os.Process
	release chan struct{}
	status  chan int
}

// startCommand starts a command and stops it before its first instruction, as
// a tracer; only the thread that traces can let it go.
func startCommand(argv []string, cmd *cobra.Command) (*command, error) {
	c := &command{release: make(chan struct{}), status: make(chan int, 1)}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		child := exec.Command(argv[0], argv[1:]...)
		child.Stdin, child.Stdout, child.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		child.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		if err := child.Start(); err != nil {
			started <- err
			return
		}
		c.process = child.Process
		var stop unix.WaitStatus
		if _, err := unix.Wait4(child.Process.Pid, &stop, 0, nil); err != nil || !stop.Stopped() {
			started <- fmt.Errorf("start %s: %w", argv[0], errors.Join(err, errors.New("it does not stop at its beginning")))
			return
		}
		// If there is nothing to record with, it must not run all the same (ptrace(2)).
		if err := unix.PtraceSetOptions(child.Process.Pid, unix.PTRACE_O_EXITKILL); err != nil {
			_ = child.Process.Kill() // or it would run
			started <- fmt.Errorf("start %s: %w", argv[0], err)
			return
		}
		started <- nil
		<-c.release
		if err := unix.PtraceDetach(child.Process.Pid); err != nil {
			_ = child.Process.Kill() // or it would wait for ever
		}
		_ = child.Wait() // its status says all
		status := child.ProcessState.ExitCode()
		if ws, is := child.ProcessState.Sys().(syscall.WaitStatus); is && ws.Signaled() {
			status = 128 + int(ws.Signal())
		}
		c.status <- status
	}()
	return c, <-started
}
