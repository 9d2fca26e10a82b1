package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/regular"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/trust"
)

// builtinPrefix begins the names of profiles that need no file.
const builtinPrefix = "builtin:"

// configProfile is what the annotation says where the profile is the bundle's
// linux.seccomp.
const configProfile = "config.json"

// AnnotationProgram holds a program that crun installs in the place of linux.seccomp
// (crun, container.c, setup_seccomp).
const AnnotationProgram = "run.oci.seccomp_bpf_data"

// profile is a profile that has been chosen and read.
type profile struct {
	name    string // as in the annotation
	text    []byte // nil for a builtin
	seccomp bool   // it is linux.seccomp of the container
}

// choose returns the profiles that hold for the container together, none where it
// gets no filter: the caller's, that of linux.seccomp, and the annotation's; the
// default where neither the caller names one nor linux.seccomp is there. Whoever
// writes the annotation can so make a container stricter, and never weaker
// (Options.AnnotationReplaces apart). stated are the annotations of the state,
// where there is one.
//
// Where the runtime installs linux.seccomp itself (beside) it is not among them,
// as the kernel then has two filters; but it is where it is the only one, and where
// AnnotationProgram may have taken its place.
func (o *Options) choose(stated map[string]string, config *bundle.Config, beside bool) (profiles, error) {
	list, err := o.find(stated, config, beside)
	if err == nil && len(list) > 0 && !o.Observe {
		err = checkHandler(stated, config)
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// find is choose for whatever program the container has.
func (o *Options) find(stated map[string]string, config *bundle.Config, beside bool) (profiles, error) {
	named, err := annotated(filter.AnnotationProfile, stated, config)
	if err != nil {
		return nil, err
	}
	var list profiles
	add := func(p *profile, err error) error {
		if err == nil {
			list = append(list, p)
		}
		return err
	}
	if o.Profile != "" {
		err = add(load(o.Profile))
	}
	if _, foreign := stated[AnnotationProgram]; foreign {
		beside = false
	} else if _, foreign = config.Annotation(AnnotationProgram); foreign {
		beside = false
	}
	replaced := named != "" && o.AnnotationReplaces && o.Profile == ""
	if own := config.Seccomp(); err == nil && own != nil && !replaced && (!beside || named == "" && o.Profile == "") {
		err = add(&profile{configProfile, own, true}, nil)
	}
	if err == nil && o.Profile == "" && config.Seccomp() == nil && o.DefaultProfile != "" && !replaced {
		err = add(load(o.DefaultProfile))
	}
	if err == nil && named != "" && (o.Profile == "" || !o.AnnotationReplaces) {
		err = add(o.loadNamed(named))
	}
	return list, err
}

// profiles are those that hold for a container together.
type profiles []*profile

// name names them all.
func (list profiles) name() string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	return strings.Join(names, " + ")
}

// seccomp reports whether linux.seccomp is among them.
func (list profiles) seccomp() bool {
	return slices.ContainsFunc(list, func(p *profile) bool { return p.seccomp })
}

// handlerAnnotations make crun run a container by a library in its own process
// (crun, custom-handler.c and handlers/). Such a program is not started by
// execve, so a suspended filter would never go live.
var handlerAnnotations = [...]string{"run.oci.handler", "module.wasm.image/variant"}

func checkHandler(stated map[string]string, config *bundle.Config) error {
	for _, name := range handlerAnnotations {
		value, found := stated[name]
		if !found {
			value, found = config.Annotation(name)
		}
		if found {
			return fmt.Errorf("annotation %s: %s: the program of such a container is not started by execve, so it would not be filtered", name, value)
		}
	}
	return nil
}

// annotated returns the value of an annotation that asks for something, "" where
// there is none. The state has the annotations of config.json, but a runtime need
// not put them there; that must not lose what was asked for, and neither must
// there be two.
func annotated(name string, stated map[string]string, config *bundle.Config) (string, error) {
	inState, isStated := stated[name]
	inConfig, configured := config.Annotation(name)
	switch {
	case isStated && configured && inState != inConfig:
		return "", fmt.Errorf("annotation %s: the state has %q, config.json has %q", name, inState, inConfig)
	case isStated && inState == "", configured && inConfig == "":
		return "", fmt.Errorf("annotation %s: empty", name)
	case isStated:
		return inState, nil
	default:
		return inConfig, nil
	}
}

// load reads a profile that the administrator named.
func load(name string) (*profile, error) {
	if strings.HasPrefix(name, builtinPrefix) {
		return &profile{name: name}, nil
	}
	fd, err := unix.Open(name, regular.Flags, 0)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", &os.PathError{Op: "open", Path: name, Err: err})
	}
	return read(fd, name, name)
}

// loadNamed reads a profile that an annotation names. Whoever starts a
// container can write annotations, so only files beneath the profile
// directories count: an absolute path must begin with one of them, a relative
// one is looked for in each.
func (o *Options) loadNamed(name string) (*profile, error) {
	if strings.HasPrefix(name, builtinPrefix) {
		return &profile{name: name}, nil
	}
	dirs := o.ProfileDirs
	if len(dirs) == 0 {
		dirs = []string{DefaultProfileDir}
	}
	outside := true
	for _, dir := range dirs {
		dir = filepath.Clean(dir)
		path := name
		if filepath.IsAbs(name) {
			var within bool
			// Textual, and the rest is not cleaned: what it means is up to
			// the kernel.
			if path, within = strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/"); !within {
				continue
			}
		}
		fd, err := openBeneath(dir, path)
		if errors.Is(err, unix.ENOENT) {
			outside = false
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", name, err)
		}
		return read(fd, filepath.Join(dir, path), dir+"/"+path)
	}
	if outside {
		return nil, fmt.Errorf("profile %s: not in a profile directory (%s)", name, strings.Join(dirs, ", "))
	}
	return nil, fmt.Errorf("profile %s: no such file in the profile directories (%s)", name, strings.Join(dirs, ", "))
}

// openBeneath opens a file that is beneath dir, whatever symbolic links and
// ".." path has.
func openBeneath(dir, path string) (int, error) {
	dirfd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(dirfd)
	how := unix.OpenHow{Flags: regular.Flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(dirfd, path, &how)
		switch err {
		case nil:
			return fd, nil
		case unix.EAGAIN, unix.EINTR:
			// openat2(2): a rename elsewhere made ".." impossible to judge.
		case unix.EXDEV:
			return -1, fmt.Errorf("leaves the profile directory %s", dir)
		default:
			return -1, &os.PathError{Op: "openat2", Path: filepath.Join(dir, path), Err: err}
		}
	}
}

// read reads an open profile and closes it. Nobody but root may be able to
// change what is under its path.
func read(fd int, name, path string) (*profile, error) {
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	if err := trust.Path(path); err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	text, err := regular.Read(file, spec.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	return &profile{name: name, text: text}, nil
}

// notifies reports whether a linux.seccomp makes the runtime install a filter
// with a listener.
func notifies(seccomp []byte) (bool, error) {
	if seccomp == nil {
		return false, nil
	}
	r := filter.Request{Profile: configProfile, Text: seccomp, Seccomp: true}
	policy, _, err := r.Policy()
	if errors.Is(err, filter.ErrDisabled) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return policy.Listener, nil
}
