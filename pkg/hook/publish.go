package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/regular"
	"seccomp-hook/pkg/trust"
)

// containersDir is the directory below a root that has one for each container.
// It has nothing else in it, so that an id can be anything that a name can be.
const containersDir = "containers"

// directory returns the directory of a container.
func directory(root, id string) string { return filepath.Join(rootOr(root), containersDir, id) }

// MakeRoot makes the directories in which containers have theirs. If others can
// write to one it is an error: they could put another filter in the place of the one
// that an exec is to have.
func MakeRoot(root string) error {
	root = rootOr(root)
	if err := os.MkdirAll(root, 0o711); err != nil {
		return err
	}
	if err := trust.Path(root); err != nil {
		return err
	}
	containers := filepath.Join(root, containersDir)
	if err := os.Mkdir(containers, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return trust.Path(containers)
}

// makeDirectory makes the directory of a container, for root alone. That it was
// there is an error that wraps fs.ErrExist.
func makeDirectory(root, id string) (dir string, err error) {
	if err := MakeRoot(root); err != nil {
		return "", err
	}
	dir = directory(root, id)
	return dir, os.Mkdir(dir, 0o700)
}

// Files in the directory of a container. It and they are for root alone.
const (
	stateFile  = "state.json" // OCI state, the annotations merged in
	filterFile = "filter"     // the filter, for the container's execs; see also Init
	// outcomeFile is an install.Outcome, where the container's program is to get
	// more than a filter. It counts only beside a state that asks for that.
	outcomeFile = "outcome"
)

// publish writes what is known of a container. On an error there may be parts of
// it, for Remove, but no state.
func publish(root string, state *specs.State, f *filter.Filter) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	dir, err := makeDirectory(root, state.ID)
	if errors.Is(err, fs.ErrExist) {
		// What an earlier container of this id has left must not outlive a
		// fault halfway: state.json goes first and comes last.
		err = forget(dir)
	}
	if err == nil && f != nil {
		var stored []byte
		if stored, err = f.MarshalBinary(); err == nil {
			err = write(dir, filterFile, stored)
		}
		if err == nil {
			err = publishInit(dir, state.Pid)
		}
	}
	if err == nil {
		err = write(dir, stateFile, append(text, '\n'))
	}
	if init, initErr := InitOf(state.Pid); err != nil && initErr == nil {
		// Remove leaves alone what is an init's that lives.
		_ = os.Remove(filepath.Join(dir, init.fileName())) // err counts
	}
	return err
}

// write makes a file whole: a reader sees all of it or nothing.
func write(dir, name string, text []byte) error {
	temporary := filepath.Join(dir, "."+name) // what a killed hook has left, publish has removed
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary, filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(temporary) // it is the first error that counts
	}
	return err
}

// forget removes the files of a container, the state first.
func forget(dir string) error {
	var first error
	for _, name := range [...]string{stateFile, filterFile, "." + stateFile, "." + filterFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) && first == nil {
			first = err
		}
	}
	if err := forgetInits(dir); first == nil {
		first = err
	}
	return first
}

// ErrNoContainer says that nothing is published of a container.
var ErrNoContainer = errors.New("no such container")

// openOutcome makes the file that the installer writes an Outcome to, long after
// this process.
func openOutcome(root, id string) (*os.File, error) {
	dir, err := makeDirectory(root, id)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	path := filepath.Join(dir, outcomeFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}

// State returns the published state of a container: its OCI state with the
// annotations merged in, as a line of JSON. The error wraps ErrNoContainer where
// there is none.
func State(root, id string) ([]byte, error) {
	text, err := published(root, id, stateFile, 2*maxState)
	if err != nil {
		return nil, err
	}
	var state specs.State
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, fmt.Errorf("container %s: %s: %w", id, stateFile, err)
	}
	if _, asked := state.Annotations[filter.AnnotationDispatch]; !asked {
		return text, nil
	}
	outcome, err := readOutcome(root, id)
	if err != nil {
		return nil, err
	}
	if outcome == nil {
		return text, nil
	}
	switch {
	case outcome.Err != nil:
		state.Annotations[filter.AnnotationDispatchError] = outcome.Err.Error()
	case outcome.Area != nil:
		state.Annotations[filter.AnnotationDispatchArea] = outcome.Area.String()
	}
	text, err = json.Marshal(&state)
	return append(text, '\n'), err
}

// IDs returns the ids, in order, of the containers of which a state is published.
func IDs(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(rootOr(root), containersDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if _, err := State(root, e.Name()); err == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// readOutcome returns what became of a container's program, nil where it has not
// begun.
func readOutcome(root, id string) (*install.Outcome, error) {
	line, err := published(root, id, outcomeFile, maxState)
	if errors.Is(err, ErrNoContainer) || err == nil && len(line) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	outcome, err := install.ParseOutcome(strings.TrimSuffix(string(line), "\n"))
	if err != nil {
		return nil, fmt.Errorf("container %s: %s: %w", id, outcomeFile, err)
	}
	return outcome, nil
}

// Filter returns the filter that was installed in a container, for its execs.
// The error wraps ErrNoContainer where nothing is published of the container,
// and where it has been that it has no filter.
func Filter(root, id string) (*filter.Filter, error) {
	return readPublished(root, id, filterFile)
}

func readPublished(root, id, name string) (*filter.Filter, error) {
	text, err := published(root, id, name, 2*maxState)
	if err != nil {
		return nil, err
	}
	f := new(filter.Filter)
	if err := f.UnmarshalBinary(text); err != nil {
		return nil, fmt.Errorf("container %s: %w", id, err)
	}
	return f, nil
}

func published(root, id, name string, limit int64) ([]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	path := filepath.Join(directory(root, id), name)
	file, err := os.OpenFile(path, regular.Flags|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("container %s: %w (%w)", id, ErrNoContainer, err)
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", id, err)
	}
	defer file.Close()
	if err := trust.Path(path); err != nil {
		return nil, fmt.Errorf("container %s: %w", id, err)
	}
	text, err := readOwned(file, limit)
	if err != nil {
		return nil, fmt.Errorf("container %s: %s: %w", id, name, err)
	}
	return text, nil
}

// readOwned reads a regular file that nobody but the caller can have written: a
// filter that is installed must be the one that was made.
func readOwned(file *os.File, limit int64) ([]byte, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return nil, err
	}
	if owner := uint32(os.Geteuid()); stat.Uid != owner || stat.Mode&0o022 != 0 {
		return nil, fmt.Errorf("owned by uid %d with mode %#o, only uid %d must be able to write to it", stat.Uid, stat.Mode&0o7777, owner)
	}
	return regular.Read(file, limit)
}

// Remove forgets what was published of a container. It is no error if there is
// nothing.
func Remove(root, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	dir := directory(root, id)
	err := forget(dir)
	if outcomeErr := os.Remove(filepath.Join(dir, outcomeFile)); err == nil && !errors.Is(outcomeErr, fs.ErrNotExist) {
		err = outcomeErr
	}
	if err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	switch errno := unix.Rmdir(dir); errno {
	case nil, unix.ENOENT:
		return nil
	case unix.ENOTEMPTY, unix.EEXIST: // another container of this id
		return nil
	default:
		return fmt.Errorf("container %s: %w", id, &os.PathError{Op: "rmdir", Path: dir, Err: errno})
	}
}

// Bounds of sweep.
const (
	// sweepEntries is how many containers one hook looks at.
	sweepEntries = 8
	// sweepAge is how long a state stays for a reader, at least.
	sweepAge = 10 * time.Minute
)

// sweep forgets containers whose init has ended. Where the hook is registered
// without its poststop counterpart nothing else does. It looks at a few,
// chosen at random, so that a start does not take longer on a host with many
// containers: with eight a start, the dead are soon fewer than one in eight.
func sweep(root string, now time.Time) {
	entries, err := os.ReadDir(filepath.Join(root, containersDir))
	if err != nil {
		return // it is tidying up; the next hook does it
	}
	rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for _, e := range entries[:min(len(entries), sweepEntries)] {
		info, err := os.Lstat(filepath.Join(directory(root, e.Name()), stateFile))
		if err != nil || now.Sub(info.ModTime()) < sweepAge {
			continue
		}
		text, err := State(root, e.Name())
		if err != nil {
			continue
		}
		var state specs.State
		if json.Unmarshal(text, &state) == nil && state.Pid > 0 && unix.Kill(state.Pid, 0) == unix.ESRCH {
			_ = Remove(root, e.Name()) // or the next hook does
		}
	}
}

// rootOr returns root, or the default where it is empty.
func rootOr(root string) string {
	if root == "" {
		return DefaultRoot
	}
	return root
}
