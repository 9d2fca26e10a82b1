package hook

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
)

// Options are what the administrator decides for all containers.
type Options struct {
	// Root is where the hook publishes and where the store is, DefaultRoot if
	// empty.
	Root string
	// Profile, where not empty, is a profile that this container gets, whatever
	// its annotations and config.json say: a path, "builtin:docker",
	// "builtin:containerd". What they name holds besides.
	Profile string
	// DefaultProfile is used where neither Profile nor linux.seccomp is there,
	// named in the same way. Empty: such a container gets no filter, unless an
	// annotation names one.
	DefaultProfile string
	// AnnotationReplaces lets the annotation's profile take the place of
	// linux.seccomp and of the default, instead of holding besides, and be without
	// effect beside Profile.
	AnnotationReplaces bool
	// ProfileDirs are where profiles that an annotation names may be,
	// DefaultProfileDir if empty.
	ProfileDirs []string
	// Observe publishes the statistics and installs nothing.
	Observe bool
	// Strict makes errors of a profile's warnings.
	Strict bool
}

// Defaults of Options.
const (
	DefaultRoot       = "/run/seccomp-hook"
	DefaultProfileDir = "/etc/seccomp-hook/profiles"
)

// StoreDir returns where the store is below a root: filter.Dir for DefaultRoot.
func StoreDir(root string) string { return filepath.Join(rootOr(root), filepath.Base(filter.Dir)) }

// Values of filter.AnnotationInstallMode, besides those of install.Mode.
const (
	ModeNone    = "none"    // there is no profile
	ModeObserve = "observe" // Options.Observe
	ModeNative  = "native"  // the real runtime compiles linux.seccomp
	ModeCrun    = "crun"    // crun installs the program itself
)

// Result says what the hook did.
type Result struct {
	ID          string            // of the container
	Annotations map[string]string // as published, the container's own left out
	Warnings    []string          // about this container, one line each; the profile's are the Filter's
	Filter      *filter.Filter    // nil where the container gets none
}

// installTimeout bounds how long a start waits for the kernel. An installation
// takes half a millisecond; one that hangs must fail, as a runtime waits for
// its hooks for ever unless their timeout says otherwise.
const installTimeout = 30 * time.Second

// Run is the hook: state is the OCI state that the runtime hands to it. When it
// returns without an error the container's filter is attached to its init, and
// goes live before the container's program runs; or the container has no
// profile. On an error the runtime must not start the container, which is what
// runtimes do when a hook fails.
func Run(ctx context.Context, state io.Reader, o Options) (*Result, error) {
	return run(ctx, state, o, func(pid int) (installer, error) { return install.Start(install.Command{}, pid) })
}

// installer is install.Installer.
type installer interface {
	// Install or Close is called, once.
	Install(context.Context, install.Request) (*install.Result, error)
	Close() error
}

func run(ctx context.Context, stdin io.Reader, o Options, start func(pid int) (installer, error)) (*Result, error) {
	o.Root = rootOr(o.Root)
	state, err := ReadState(stdin)
	if err != nil {
		return nil, err
	}
	r := &Result{ID: state.ID, Annotations: map[string]string{}}
	r.disclaim(state)
	installed, err := r.run(ctx, state, &o, start)
	if err == nil {
		err = r.publish(o.Root, state, installed)
	}
	if err != nil {
		// What an earlier container of this id has left would be taken for
		// this one's.
		_ = Remove(o.Root, state.ID)
		return nil, fmt.Errorf("container %s: %w", state.ID, err)
	}
	sweep(o.Root, time.Now())
	return r, nil
}

// disclaim takes out of a state what the container says of itself, and only this
// project can say. The runtime has it in its own state all the same.
func (r *Result) disclaim(state *specs.State) {
	claims := filter.Claims(state.Annotations)
	if len(claims) == 0 {
		return
	}
	r.warn("annotations that only seccomp-hook may write are taken for nothing: %q", claims)
	state.Annotations = maps.Clone(state.Annotations)
	for _, name := range claims {
		delete(state.Annotations, name)
	}
}

// publish writes the state with the annotations merged in, and the filter that
// was installed, if any.
func (r *Result) publish(root string, state *specs.State, installed *filter.Filter) error {
	merged := *state
	merged.Annotations = map[string]string{}
	maps.Copy(merged.Annotations, state.Annotations)
	maps.Copy(merged.Annotations, r.Annotations)
	if err := publish(root, &merged, installed); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Poststop is the hook's counterpart in poststop: it forgets the container whose
// state it is given.
func Poststop(stdin io.Reader, root string) error {
	state, err := readState(stdin)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return Remove(root, state.ID)
}

// run does all but publishing. It returns the filter that it installed, nil for
// none.
func (r *Result) run(ctx context.Context, state *specs.State, o *Options, start func(pid int) (installer, error)) (*filter.Filter, error) {
	config, err := readConfig(state.Bundle)
	if err != nil {
		return nil, err
	}
	areas, err := dispatch(state.Annotations, config)
	if err != nil {
		return nil, err
	}
	if areas != nil {
		r.Annotations[filter.AnnotationDispatch] = areas.String() // a runtime need not state it
	}
	i := installation{root: o.Root, state: state, config: config, areas: areas, start: start}
	r.Annotations[filter.AnnotationInstallMode] = ModeNone
	chosen, err := o.choose(state.Annotations, config, true)
	if err == nil && len(chosen) == 0 && areas != nil {
		err = errNoProfile
	}
	if err != nil || len(chosen) == 0 {
		return nil, err
	}
	if o.Observe {
		r.Annotations[filter.AnnotationInstallMode] = ModeObserve
		_, err := r.prepare(o, chosen, config)
		return nil, err
	}
	// The installer starts while the filter is being looked up.
	installer, err := start(state.Pid)
	if err != nil {
		return nil, err
	}
	f, err := r.prepare(o, chosen, config)
	if err == nil && f == nil && areas != nil {
		err = errNoProfile
	}
	if f == nil {
		if closeErr := installer.Close(); err == nil {
			err = closeErr
		}
		return nil, err
	}
	return f, r.install(ctx, &i, installer, f)
}

// installation is where a filter goes.
type installation struct {
	root   string
	state  *specs.State
	config *bundle.Config
	areas  *install.Areas
	start  func(pid int) (installer, error)
}

// install attaches the filter.
func (r *Result) install(ctx context.Context, i *installation, installer installer, f *filter.Filter) error {
	request, err := i.request(f)
	if err != nil {
		_ = installer.Close() // nothing was installed, and err says why
		return err
	}
	if request.Outcome != nil {
		defer func() { _ = request.Outcome.Close() }() // this process writes nothing
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	begin := time.Now()
	installed, err := installer.Install(ctx, *request)
	if err != nil {
		return err
	}
	r.installed(installed, time.Since(begin))
	if installed.Listener == nil {
		return nil
	}
	defer installed.Listener.Close()
	return Notify(f.Listener, installed.Listener, i.state, i.state.Pid)
}

// request returns what to ask of the installer.
func (i *installation) request(f *filter.Filter) (*install.Request, error) {
	installable, err := Installable(f)
	if err != nil {
		return nil, err
	}
	r := &install.Request{
		Filter:          installable,
		NoNewPrivileges: i.config.NoNewPrivileges(),
		Parent:          os.Getppid(),
		Dispatch:        i.areas,
	}
	if i.areas != nil {
		// What becomes of it is known only when the program begins, and this
		// process is gone by then.
		if r.Outcome, err = openOutcome(i.root, i.state.ID); err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
	}
	return r, nil
}

// Installable returns f in the form that pkg/install takes. A flag or an action
// that the running kernel does not have is an error: it would kill the process
// where the profile says, for example, SCMP_ACT_LOG.
func Installable(f *filter.Filter) (install.Filter, error) {
	flags, err := install.ParseFlags(f.FlagNames())
	if err != nil {
		return install.Filter{}, err
	}
	if f.Listener != nil {
		flags |= install.NewListener
	}
	// Every kernel with seccomp(2) has the others.
	asked := map[bpf.Return]bool{bpf.RetAllow: true, bpf.RetErrno: true, bpf.RetKillThread: true}
	for _, in := range f.Program {
		if in.Code != bpf.RET|bpf.K {
			continue
		}
		action := bpf.Return(in.K).Action()
		if !asked[action] && !install.ActionAvailable(action) {
			return install.Filter{}, fmt.Errorf("profile %s: the kernel does not have the action %s", f.Profile, action)
		}
		asked[action] = true
	}
	return install.Filter{Program: f.Program, Flags: flags}, nil
}
