package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/regular"
)

// followTimeout bounds how long an exec waits for the kernel.
const followTimeout = 30 * time.Second

// exec prepares the exec of a process in a container: it attaches the filter
// that was installed in the container's init to this process, suspended until
// a descendant executes a program in the container. A container that this
// project has not made is the real runtime's alone.
func (w *wrapper) exec() error {
	if w.ID == "" || !hostRoot() {
		return nil // as in create
	}
	at(StepIdentify)
	// A follower takes longer to get ready than all that it is needed for.
	if hook.Published("", w.ID) {
		var err error
		if w.follower, err = install.StartFollower(install.Command{}); err != nil {
			return fmt.Errorf("runtime: exec in container %s: %w", w.ID, err)
		}
		defer w.dismiss()
	}
	c, err := w.findContainer()
	if errors.Is(err, errNoContainer) {
		return w.unknown(err)
	}
	if err != nil {
		return err
	}
	if !c.init.Alive() {
		return fmt.Errorf("runtime: container %s: cannot exec in a stopped container", w.ID)
	}
	// An init that ends from here on takes the container with it, and no
	// other one can come under this id before it has been deleted.
	f, err := hook.FilterOf("", w.ID, c.init)
	if errors.Is(err, hook.ErrNoContainer) {
		if w.kept(c) {
			return nil
		}
		return w.checkForeign(c)
	}
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	if err := w.checkKind(); err != nil {
		return err
	}
	if digest, told := c.annotations[filter.AnnotationProgramDigest]; told && digest != f.Annotations()[filter.AnnotationProgramDigest] {
		return fmt.Errorf("runtime: container %s: the filter that is published of it is not the one that its annotations tell of", w.ID)
	}
	at(StepFollow)
	return w.follow(c, f)
}

// unknown says of a container that the real runtime does not know what that one
// says, because engines know its words (runc, utils_linux.go, getContainer;
// crun, status.c, libcrun_read_container_status). It must not be asked itself: a
// container could have come under this id meanwhile.
func (w *wrapper) unknown(err error) error {
	switch w.kind {
	case Runc:
		return errors.New("exec failed: container does not exist")
	case Crun:
		return fmt.Errorf("error opening file `%s`: No such file or directory", filepath.Join(w.stateRoot(), w.ID, "status"))
	default:
		return err
	}
}

// kept reports whether crun has kept the program that it was handed for a
// container. It gives it to execs, too (crun, container.c, exec_with_options).
func (w *wrapper) kept(c *container) bool {
	if w.kind != Crun || c.annotations[filter.AnnotationInstallMode] != hook.ModeCrun {
		return false
	}
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(filepath.Dir(c.config), "seccomp.bpf"), &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Uid == 0 && st.Mode&0o022 == 0 && st.Size > 0
}

// checkForeign lets a container alone whose filter is not from here. One whose
// annotations say that it is must not be entered without.
func (w *wrapper) checkForeign(c *container) error {
	_, made := c.annotations[filter.AnnotationProgramDigest]
	_, named := c.annotations[filter.AnnotationProfile]
	if !made && !named {
		return nil
	}
	if !made {
		// A profile that asks for no filter leaves no record.
		config, err := parseConfig(c.config)
		if err != nil {
			return fmt.Errorf("runtime: container %s: %w", w.ID, err)
		}
		decision, err := hook.Decide(config, hook.Options{ProfileDirs: w.config.ProfileDirs, AnnotationReplaces: w.config.Annotation == annotationReplaces})
		if err != nil {
			return fmt.Errorf("runtime: container %s: %w", w.ID, err)
		}
		if decision.Filter == nil {
			return nil
		}
	}
	return fmt.Errorf("runtime: container %s: its annotations tell of a filter, and none is published of its init (process %d) below %s; the container must be made anew", w.ID, c.init.PID, hook.DefaultRoot)
}

// follow attaches the filter.
func (w *wrapper) follow(c *container, f *filter.Filter) error {
	installable, err := hook.Installable(f)
	if err != nil {
		return fmt.Errorf("runtime: container %s: %w", w.ID, err)
	}
	r := install.ExecRequest{Filter: installable, Container: c.init.PID}
	if f.Listener != nil {
		err = w.escorted(c, f, r)
	} else if err = w.followed(r); errors.Is(err, install.ErrSuspend) {
		// noNewPrivileges makes another way possible. Nothing has been done
		// to this process yet.
		if r.NoNewPrivileges, err = w.noNewPrivileges(c); err == nil {
			err = w.followed(r)
		}
	}
	if err != nil {
		return fmt.Errorf("runtime: exec in container %s: %w", w.ID, err)
	}
	return nil
}

// followed has this process followed by the follower that was started, or by a
// new one.
func (w *wrapper) followed(r install.ExecRequest) error {
	ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
	defer cancel()
	follower := w.follower
	w.follower = nil
	if follower == nil {
		var err error
		if follower, err = install.StartFollower(install.Command{}); err != nil {
			return err
		}
	}
	_, err := follower.Exec(ctx, r)
	return err
}

// dismiss ends a follower that nobody needs.
func (w *wrapper) dismiss() {
	if w.follower != nil {
		_ = w.follower.Close() // it ends with this process, too
	}
}

// noNewPrivileges returns the exec'd process's noNewPrivileges: that of
// --process, or of config.json with --no-new-privs.
func (w *wrapper) noNewPrivileges(c *container) (bool, error) {
	if w.Process == "" {
		config, err := parseConfig(c.config)
		return err == nil && (config.NoNewPrivileges() || w.NoNewPrivileges), err
	}
	text, err := regular.ReadFile(w.Process, maxConfig)
	if err != nil {
		return false, err
	}
	var process struct {
		NoNewPrivileges bool `json:"noNewPrivileges"`
	}
	if err := json.Unmarshal(text, &process); err != nil {
		return false, fmt.Errorf("%s: %w", w.Process, err)
	}
	return process.NoNewPrivileges, nil
}
