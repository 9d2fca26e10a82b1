package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
)

// errHostMounts is why a container's filter cannot come from here.
var errHostMounts = errors.New("the container has no mount namespace of its own")

// errListens is why crun installs a filter itself.
var errListens = errors.New("crun hands a listener to the listenerPath even where no rule is SCMP_ACT_NOTIFY")

// listens reports whether the real runtime hands a listener over for a profile none of
// whose rules is SCMP_ACT_NOTIFY, which its agent may wait for: crun does wherever a
// listenerPath is (crun, container.c, get_seccomp_receiver_fd); to runc it means nothing.
func (w *wrapper) listens(config *bundle.Config, f *filter.Filter) bool {
	var seccomp struct {
		ListenerPath string `json:"listenerPath"`
	}
	return w.kind == Crun && f != nil && f.Listener == nil && json.Unmarshal(config.Seccomp(), &seccomp) == nil && seccomp.ListenerPath != ""
}

const bpfAnnotation = hook.AnnotationProgram

// native reports whether a container for which there is no filter from here is
// left to the real runtime, which compiles its linux.seccomp as if nobody stood in
// front of it: the container has the verdicts that were asked for, and costs more.
// Nobody else can give a container the profile that an annotation names, or the
// default one, so without linux.seccomp, and with an annotation of ours, it is
// false.
func (w *wrapper) native(config *bundle.Config, why error) (bool, error) {
	if config.Seccomp() == nil || !hostRoot() {
		return false, nil
	}
	for name := range config.Annotations() {
		if name == filter.AnnotationProfile || name == filter.AnnotationDispatch {
			return false, nil
		}
	}
	if _, foreign := config.Annotation(bpfAnnotation); foreign && w.kind != Runc {
		return false, fmt.Errorf("runtime: annotation %s: crun would install it in the place of linux.seccomp (%w)", bpfAnnotation, why)
	}
	w.reporter().log("warning", fmt.Sprintf("seccomp-hook: install.mode %s: %s; linux.seccomp is left to %s", hook.ModeNative, strings.ReplaceAll(why.Error(), "\n", "; "), w.real))
	return true, nil
}

// nativeInstead is native for a bundle whose config.json cannot be replaced for a
// moment. It returns err where the container is refused.
func (w *wrapper) nativeInstead(config *bundle.Config, err error) error {
	if len(filter.Claims(config.Annotations())) > 0 {
		return err // they would stay
	}
	// A read-only mount, an immutable file, a file system without hard links.
	for _, errno := range []unix.Errno{unix.EROFS, unix.EPERM, unix.EACCES, unix.EOPNOTSUPP, unix.EXDEV, unix.EMLINK} {
		if !errors.Is(err, errno) {
			continue
		}
		if native, nativeErr := w.native(config, err); native || nativeErr != nil {
			return nativeErr
		}
	}
	return err
}

// Compiles reports how a container gets a filter of which nothing is published: a
// runtime that was left linux.seccomp compiles it, or, crun, installs the program
// that it was handed in its place. It looks into the runtime's own state, whose
// folder is root; the mode is "" where the runtime has no linux.seccomp, and
// installs nothing.
func Compiles(kind Kind, root, id string) (mode string, err error) {
	// runc has what it makes of linux.seccomp in its state, crun the text.
	var runc struct {
		Config struct {
			Seccomp json.RawMessage `json:"seccomp"`
		} `json:"config"`
	}
	var crun struct {
		Annotations map[string]string `json:"annotations"`
		Linux       struct {
			Seccomp json.RawMessage `json:"seccomp"`
		} `json:"linux"`
	}
	dir := filepath.Join(root, id)
	seccomp := &runc.Config.Seccomp
	if kind == Crun {
		seccomp = &crun.Linux.Seccomp
		err = readJSON(filepath.Join(dir, configName), &crun)
	} else {
		err = readJSON(filepath.Join(dir, "state.json"), &runc)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("runtime: container %s: %w", id, err)
	case *seccomp == nil || string(*seccomp) == "null":
		return "", nil
	case crun.Annotations[filter.AnnotationInstallMode] == hook.ModeCrun:
		return hook.ModeCrun, nil
	}
	return hook.ModeNative, nil
}

// StateRoot returns the folder in which a runtime keeps its containers that was
// started with this --root, "" for none, by root of the host.
func StateRoot(kind Kind, root string) string {
	return (&wrapper{Invocation: &Invocation{Root: root}, kind: kind}).stateRoot()
}

// Kept returns the OCI state of a container whose program crun was handed and keeps,
// as a line of JSON, from crun's own state in its folder root; of such a one nothing
// is published. The error wraps hook.ErrNoContainer where there is none.
func Kept(root, id string) ([]byte, error) {
	dir := filepath.Join(root, id)
	none := func(err error) error {
		return fmt.Errorf("runtime: container %s below %s: %w (%w)", id, root, hook.ErrNoContainer, err)
	}
	if id == "." || id != filepath.Base(id) || !filepath.IsLocal(id) {
		return nil, none(errors.New("no name of a container"))
	}
	c, err := readCrunState(dir)
	if err != nil {
		return nil, none(err)
	}
	if c.annotations[filter.AnnotationInstallMode] != hook.ModeCrun {
		return nil, none(errors.New("crun was handed no program"))
	}
	// The program is in the annotations, too, and of no use to a reader.
	delete(c.annotations, bpfAnnotation)
	state := specs.State{Version: specs.Version, ID: id, Status: specs.StateStopped, Bundle: c.bundle, Annotations: c.annotations}
	if now, err := hook.InitOf(c.init.PID); err == nil && now == c.init {
		state.Status, state.Pid = specs.StateRunning, c.init.PID
		// crun removes it when it starts the container (crun, container.c).
		if _, err := os.Lstat(filepath.Join(dir, "exec.fifo")); err == nil {
			state.Status = specs.StateCreated
		}
	}
	text, err := json.Marshal(&state)
	return append(text, '\n'), err
}
