//go:build linux

package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/live"
)

// Scope says whose calls are watched. The kernel decides, call by call.
type Scope struct {
	kind  scopeKind
	level int    // depth of the PID namespace, or of the cgroup
	id    uint64 // inode number of the PID namespace, id of the cgroup
	// roots are the processes that a tree begins with.
	roots []int
	// hold keeps what id names from being another one's while it is watched.
	hold *os.File
}

type scopeKind uint8

const (
	scopeNamespace scopeKind = iota
	scopeCgroup
	scopeTree
	// scopeStarted is all processes of a PID namespace, from the first program
	// on that each, or one that it descends from, has executed in there.
	scopeStarted
)

// ErrScope says that there is no telling who belongs to a container.
var ErrScope = errors.New("cannot tell who belongs to the container")

// initialPIDNamespace is the inode number of the PID namespace of the host
// (PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h).
const initialPIDNamespace = 0xEFFFFFFC

// Of returns the scope of a process: its PID namespace, with those below, where
// it has one of its own; else the process, its threads, and its descendants.
func Of(pid int) (Scope, error) {
	s, err := namespaceOf(pid)
	if err != nil || s.level > 0 {
		return s, err
	}
	s.Close()
	return Tree(pid)
}

// StartedIn is Of for the processes of a container whose init has not executed
// the container's program yet: what the runtime does before that in the
// container's PID namespace, and in those processes that an exec starts, is not
// the container's.
func StartedIn(pid int) (Scope, error) {
	s, err := namespaceOf(pid)
	if err != nil {
		return s, err
	}
	if s.level == 0 {
		return s, fmt.Errorf("watch: process %d: %w: it has no PID namespace of its own", pid, ErrScope)
	}
	s.kind = scopeStarted
	return s, nil
}

// Tree returns the scope of a process, its threads, and its descendants.
func Tree(pid int) (Scope, error) {
	if err := onHost(); err != nil {
		return Scope{}, err
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return Scope{}, fmt.Errorf("watch: process %d: %w", pid, live.ErrNoThread)
	}
	return Scope{kind: scopeTree, roots: []int{pid}}, nil
}

// Cgroup returns the scope of a cgroup and those below, by its path in the
// unified hierarchy (cgroup v2), which may begin with the mount point.
func Cgroup(path string) (Scope, error) {
	full, err := unified(path)
	if err != nil {
		return Scope{}, err
	}
	level := 0
	for dir := full; ; dir = filepath.Dir(dir) {
		var up unix.Statfs_t
		if unix.Statfs(filepath.Dir(dir), &up) != nil || up.Type != unix.CGROUP2_SUPER_MAGIC || dir == "/" {
			break
		}
		level++
	}
	file, err := os.Open(full)
	if err != nil {
		return Scope{}, fmt.Errorf("watch: cgroup: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		file.Close()
		return Scope{}, fmt.Errorf("watch: cgroup %s: %w", path, err)
	}
	return Scope{kind: scopeCgroup, level: level, id: st.Ino, hold: file}, nil
}

// unified returns where a cgroup is in the unified hierarchy.
func unified(path string) (string, error) {
	for _, mount := range []string{"", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		full := filepath.Join(mount, path)
		var fs unix.Statfs_t
		if unix.Statfs(full, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return full, nil
		}
	}
	return "", fmt.Errorf("watch: cgroup %s: %w: no such directory of cgroup v2", path, ErrScope)
}

// Emptied returns a channel that is closed when a cgroup, with those below, has no
// process left, or is gone (cgroup.events in the kernel's
// admin-guide/cgroup-v2.rst).
func Emptied(path string) (<-chan struct{}, error) {
	full, err := unified(path)
	if err != nil {
		return nil, err
	}
	events, err := os.Open(filepath.Join(full, "cgroup.events"))
	ended := make(chan struct{})
	switch {
	case errors.Is(err, fs.ErrNotExist): // the root, which is never empty
		return ended, nil
	case err != nil:
		return nil, fmt.Errorf("watch: cgroup: %w", err)
	}
	go func() {
		defer close(ended)
		defer events.Close()
		for {
			var text [256]byte
			n, err := events.ReadAt(text[:], 0)
			if err != nil && !errors.Is(err, io.EOF) || strings.Contains(string(text[:n]), "populated 0") {
				return
			}
			poll := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
			if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}

// Close lets go of what the scope names.
func (s Scope) Close() {
	if s.hold != nil {
		s.hold.Close()
	}
}

// Members returns the processes that a scope has now.
func (s Scope) Members() ([]int, error) {
	switch s.kind {
	case scopeTree:
		return descendants(s.roots)
	case scopeCgroup:
		return cgroupProcesses(s.hold.Name())
	default:
		return processes(s.inNamespace)
	}
}

// cgroupProcesses returns the processes of a cgroup and of those below, which may
// come and go meanwhile.
func cgroupProcesses(dir string) (list []int, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			return nil
		}
		var text []byte
		if err == nil {
			text, err = os.ReadFile(filepath.Join(path, "cgroup.procs"))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
			return nil
		case errors.Is(err, unix.EOPNOTSUPP): // a threaded one: its processes are told above (cgroup-v2.rst)
			return nil
		case err != nil:
			return fmt.Errorf("watch: cgroup: %w", err)
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0 is of another PID namespace
				list = append(list, pid)
			}
		}
		return nil
	})
	return list, err
}

// inNamespace looks at the namespaces from that of a process upwards.
func (s Scope) inNamespace(pid int) bool {
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return false
	}
	defer func() { file.Close() }()
	for range 32 { // MAX_PID_NS_LEVEL
		var st unix.Stat_t
		if unix.Fstat(int(file.Fd()), &st) != nil {
			return false
		}
		if st.Ino == s.id {
			return true
		}
		up, err := unix.IoctlRetInt(int(file.Fd()), unix.NS_GET_PARENT)
		if err != nil {
			return false
		}
		file.Close()
		file = os.NewFile(uintptr(up), "ns")
	}
	return false
}

// namespaceOf returns the PID namespace of a process; its level is 0 where it is
// the host's.
func namespaceOf(pid int) (Scope, error) {
	if err := onHost(); err != nil {
		return Scope{}, err
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if errors.Is(err, fs.ErrNotExist) {
		err = live.ErrNoThread
	}
	if err != nil {
		return Scope{}, fmt.Errorf("watch: process %d: %w", pid, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		file.Close()
		return Scope{}, fmt.Errorf("watch: process %d: %w", pid, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		file.Close()
		return Scope{}, fmt.Errorf("watch: process %d: %w", pid, live.ErrNoThread)
	}
	s := Scope{kind: scopeNamespace, id: st.Ino, hold: file}
	for line := range strings.Lines(string(text)) {
		if ids, found := strings.CutPrefix(line, "NSpid:"); found {
			s.level = len(strings.Fields(ids)) - 1
		}
	}
	return s, nil
}

// onHost refuses a caller in a PID namespace of its own: the kernel counts
// namespaces, and numbers processes, from the host's.
func onHost() error {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if st.Ino != initialPIDNamespace {
		return fmt.Errorf("watch: %w: it takes the host's PID namespace (hostPID)", ErrScope)
	}
	return nil
}

// processes returns the processes for which keep is true.
func processes(keep func(pid int) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	var list []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && keep(pid) {
			list = append(list, pid)
		}
	}
	return list, nil
}

// descendants returns the roots and everything below them.
func descendants(roots []int) ([]int, error) {
	parents := map[int]int{}
	if _, err := processes(func(pid int) bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return false
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
		return false
	}); err != nil {
		return nil, err
	}
	var list []int
	for pid := range parents {
		for up := pid; up > 0; up = parents[up] {
			if contains(roots, up) {
				list = append(list, pid)
				break
			}
		}
	}
	return list, nil
}

func contains(list []int, pid int) bool {
	for _, p := range list {
		if p == pid {
			return true
		}
	}
	return false
}
