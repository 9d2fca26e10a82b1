package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
)

// Init identifies the first process of a container, as runtimes note it in
// their own state. The id of a container does not: containers under different
// roots of a runtime can have the same one.
type Init struct {
	PID int
	// Start is when the process began, in clock ticks since boot (proc(5),
	// /proc/PID/stat, field 22): no later process with this number has it.
	Start uint64
}

// InitOf returns the identity of a process. The error wraps fs.ErrNotExist where
// there is none.
func InitOf(pid int) (Init, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Init{}, fmt.Errorf("process %d: %w", pid, err)
	}
	// The name in parentheses may hold anything; it is the second field.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const start = 22 - 3
	if len(fields) <= start {
		return Init{}, fmt.Errorf("process %d: /proc/%d/stat: malformed", pid, pid)
	}
	i := Init{PID: pid}
	if i.Start, err = strconv.ParseUint(string(fields[start]), 10, 64); err != nil {
		return Init{}, fmt.Errorf("process %d: /proc/%d/stat: %w", pid, pid, err)
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return Init{}, fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return i, nil
}

// Alive reports whether the process has not ended.
func (i Init) Alive() bool {
	now, err := InitOf(i.PID)
	return err == nil && now == i
}

// initPrefix begins the names of the filters of inits, which are links to
// filterFile: one for each container of this id that lives.
const initPrefix = filterFile + "-"

func (i Init) fileName() string { return fmt.Sprintf("%s%d-%d", initPrefix, i.PID, i.Start) }

// publishInit makes the filter of a directory that of an init, which has not
// ended.
func publishInit(dir string, pid int) error {
	init, err := InitOf(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there will be no exec
	}
	if err != nil {
		return err
	}
	err = os.Link(filepath.Join(dir, filterFile), filepath.Join(dir, init.fileName()))
	if errors.Is(err, fs.ErrExist) { // the hook runs twice
		err = os.Remove(filepath.Join(dir, init.fileName()))
		if err == nil {
			err = os.Link(filepath.Join(dir, filterFile), filepath.Join(dir, init.fileName()))
		}
	}
	return err
}

// forgetInits removes the filters and tickets of inits that have ended.
func forgetInits(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		init, ours := initOfFile(e.Name())
		if !ours || init.Alive() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// initOfFile returns whose filter or ticket a file is, or what a killed publisher
// has left of a ticket (write). A name that is none of theirs, but begins as if,
// is that of a process that there never was.
func initOfFile(name string) (init Init, ours bool) {
	identity, ours := strings.CutPrefix(name, initPrefix)
	if ticket, is := strings.CutPrefix(strings.TrimPrefix(name, "."), ticketPrefix); is {
		_, identity, _ = strings.Cut(ticket, "-")
		ours = true
	}
	if _, err := fmt.Sscanf(identity, "%d-%d", &init.PID, &init.Start); err != nil {
		return Init{}, ours
	}
	return init, ours
}

// FilterOf returns the filter that was installed in a container with this init.
// The error wraps ErrNoContainer where there is none.
func FilterOf(root, id string, init Init) (*filter.Filter, error) {
	return readPublished(root, id, init.fileName())
}

// Forget forgets what was published of the container with this init, which may
// live; another one of the same id stays.
func Forget(root, id string, init Init) error {
	text, err := State(root, id)
	if errors.Is(err, ErrNoContainer) {
		text, err = nil, nil
	}
	if err != nil {
		return err
	}
	dir := directory(root, id)
	if err := os.Remove(filepath.Join(dir, init.fileName())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("container %s: %w", id, err)
	}
	if err := forgetTickets(dir, init); err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	var state specs.State
	if text == nil || json.Unmarshal(text, &state) == nil && state.Pid == init.PID {
		return Remove(root, id)
	}
	return nil
}

// ForgetEnded forgets what was published under an id whose containers have all
// ended, without whoever was to forget them: it was killed. While one of them
// lives, what is known of it stays.
func ForgetEnded(root, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	dir := directory(root, id)
	if err := forgetInits(dir); err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("container %s: %w", id, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), initPrefix) {
			return nil // it lives
		}
	}
	// A container without a filter has a state alone.
	if text, err := State(root, id); err == nil {
		var state specs.State
		if json.Unmarshal(text, &state) == nil && state.Pid > 0 && unix.Kill(state.Pid, 0) == nil {
			return nil
		}
	}
	return Remove(root, id)
}
