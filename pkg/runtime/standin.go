package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/install/deadline"
	"seccomp-hook/pkg/regular"
)

// Names in a bundle while the runtime reads its config.json.
const (
	configName   = "config.json"
	originalName = ".config.json.seccomp-hook-original" // the bundle's own, kept
	draftName    = ".config.json.seccomp-hook-draft"    // the stand-in, before it stands in
)

// maxConfig is the largest config.json that is read, in bytes. The real runtimes
// have no limit; a profile has its own (spec.MaxSize).
const maxConfig = 64 << 20

// standIn is a config.json that stands in for a bundle's own one while the
// runtime reads it. runc takes neither another name for the file nor another
// directory for the bundle (utils.go, setupSpec; the bundle's path is also
// what `state` shows and what hooks get), so the file itself has to be another
// one for a moment.
//
// The bundle's own file is never written to: it gets a second name and loses
// its first, and Restore gives the first one back to the same inode. Every
// step is one atomic link(2), rename(2) or unlink(2), config.json exists at
// every moment, and what a killed process left behind is recognised and undone
// by the next one, see recover.
type standIn struct {
	dir  *os.File // the bundle, locked
	text []byte   // what stands in
}

// lockBundle opens a bundle and locks it, so that two creates in one bundle
// come one after the other. It puts back a config.json that a killed process
// has left replaced. The lock belongs to the open file: it is inherited with
// it, and ends with the last process that has it open.
func lockBundle(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("runtime: bundle %s: %w", path, err)
	}
	dir := os.NewFile(uintptr(fd), path)
	if err := lockWithin(dir, deadline.Limit); err != nil {
		dir.Close()
		return nil, fmt.Errorf("runtime: lock bundle %s: %w", path, err)
	}
	if err := recoverConfig(dir); err != nil {
		dir.Close()
		return nil, fmt.Errorf("runtime: restore %s of bundle %s: %w", configName, path, err)
	}
	return dir, nil
}

// recoverBundle puts back a config.json that a killed process has left replaced.
// It waits for the bundle's lock, also where that process was the last to have
// it: the kernel may close a dying process's sockets before it lets go of its
// locks (kernel/task_work.c, task_work_run, has no order).
func recoverBundle(path string) error {
	dir, err := lockBundle(path)
	if err != nil {
		return err
	}
	return dir.Close()
}

// lockWithin locks a directory for which another process has the lock at most for
// so long: whoever may read it can have that lock.
func lockWithin(dir *os.File, limit time.Duration) error {
	// A descriptor of its own, which stays open where the wait does not end. The
	// lock is the open file's, which both refer to (flock(2)).
	fd, err := unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	own := os.NewFile(uintptr(fd), dir.Name())
	locked := make(chan error, 1)
	go func() {
		defer own.Close()
		locked <- flock(own, unix.LOCK_EX)
	}()
	select {
	case err := <-locked:
		return err
	case <-time.After(limit):
		return fmt.Errorf("another process has held it for %s", limit)
	}
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// recoverConfig undoes what a process that was killed in a locked bundle has
// left behind. Whether the original had lost its name already can be seen: it
// still has it if both names are of one inode.
func recoverConfig(dir *os.File) error {
	var draft, original, config unix.Stat_t
	// On a read-only file system unlink(2) fails whether or not there is such a file.
	if err := lstatAt(dir, draftName, &draft); err == nil {
		if err := removeAt(dir, draftName); err != nil {
			return err
		}
	}
	if err := lstatAt(dir, originalName, &original); err != nil {
		return ignoreAbsent(err)
	}
	err := lstatAt(dir, configName, &config)
	if err == nil && config.Dev == original.Dev && config.Ino == original.Ino {
		return removeAt(dir, originalName)
	}
	// An engine may have written another config.json since, by which it wants
	// the next container.
	if text, err := readConfig(dir, configName, maxConfig); err == nil && !standsIn(text) && !frontStandsIn(dir) {
		return removeAt(dir, originalName)
	}
	return renameAt(dir, originalName, configName)
}

// frontStandsIn reports whether config.json is the front's: a link to a
// descriptor, which nobody but the runtime that it became has
// (cmd/seccomp-runc, stand_in.c).
func frontStandsIn(dir *os.File) bool {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), configName, target)
	return err == nil && bytes.HasPrefix(target[:n], []byte("/proc/self/fd/"))
}

// standsIn reports whether a text is what a stand-in can have been left with:
// nothing, a part, or all of it, with the hook.
func standsIn(text []byte) bool {
	return !json.Valid(text) || bytes.Contains(text, []byte(`"`+announceArg0+`"`))
}

// readConfig reads the config.json of a locked bundle, which has a name there,
// at most limit bytes.
func readConfig(dir *os.File, name string, limit int64) ([]byte, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, regular.Flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir.Name() + "/" + configName, Err: err}
	}
	f := os.NewFile(uintptr(fd), dir.Name()+"/"+configName)
	defer f.Close()
	text, err := regular.Read(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return text, nil
}

// place puts text in the place of the config.json of a locked bundle.
func place(dir *os.File, text []byte) (*standIn, error) {
	s := &standIn{dir: dir, text: text}
	if err := s.place(); err != nil {
		return nil, errors.Join(fmt.Errorf("runtime: replace %s of bundle %s: %w", configName, dir.Name(), err), recoverConfig(dir))
	}
	return s, nil
}

func (s *standIn) place() error {
	fd, err := unix.Openat(int(s.dir.Fd()), draftName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	draft := os.NewFile(uintptr(fd), draftName)
	if _, err := draft.Write(s.text); err != nil {
		draft.Close()
		return err
	}
	if err := draft.Close(); err != nil {
		return err
	}
	if err := unix.Linkat(int(s.dir.Fd()), configName, int(s.dir.Fd()), originalName, 0); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return renameAt(s.dir, draftName, configName)
}

// ownSources returns another path for each source of a mount that is the config.json
// of a locked bundle: that which the bundle's own file has while another stands in.
// The mount is one of the file, whose name changes back later: the runtimes mount
// before they call the hooks (runc, rootfs_linux.go, prepareRootfs; crun, linux.c,
// libcrun_set_mounts), except where a container has no mount namespace of its own.
func (w *wrapper) ownSources(config *bundle.Config, dir *os.File) map[string]string {
	var there unix.Stat_t
	if dir == nil || !config.MountNamespace() || unix.Fstatat(int(dir.Fd()), configName, &there, 0) != nil {
		return nil
	}
	own, err := filepath.Abs(w.bundle())
	if err != nil {
		return nil
	}
	others := make(map[string]string)
	for _, source := range config.MountSources() {
		path := source
		if !filepath.IsAbs(path) {
			path = filepath.Join(own, path)
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Dev == there.Dev && st.Ino == there.Ino {
			others[source] = filepath.Join(own, originalName)
		}
	}
	return others
}

// Restore gives the bundle its own config.json back. If somebody has written
// another one meanwhile, that one stays: it is newer.
func (s *standIn) Restore() error {
	current, err := readConfig(s.dir, configName, int64(len(s.text)))
	if err == nil && bytes.Equal(current, s.text) {
		err = s.putBack()
	} else {
		err = removeAt(s.dir, originalName)
	}
	if err != nil {
		return fmt.Errorf("runtime: restore %s of bundle %s: %w", configName, s.dir.Name(), err)
	}
	return nil
}

// putBack gives the bundle its own config.json back, whatever stands in.
func (s *standIn) putBack() error { return renameAt(s.dir, originalName, configName) }

func lstatAt(dir *os.File, name string, st *unix.Stat_t) error {
	return unix.Fstatat(int(dir.Fd()), name, st, unix.AT_SYMLINK_NOFOLLOW)
}

func renameAt(dir *os.File, from, to string) error {
	if err := unix.Renameat(int(dir.Fd()), from, int(dir.Fd()), to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}

func removeAt(dir *os.File, name string) error {
	return ignoreAbsent(unix.Unlinkat(int(dir.Fd()), name, 0))
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
