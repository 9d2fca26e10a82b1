package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is where the Store is, on a tmpfs that only root can write to.
const Dir = "/run/seccomp-hook/store"

// Store keeps Filters in a directory, one file each under the name of its Key.
// Any number of processes use it at once: a file appears whole (rename(2)) and
// is never changed afterwards.
//
// An entry is used only if it is a regular file of the caller's that nobody
// else can write to, and holds what was written for its key. All others are
// removed. Nothing is synced: the Store does not outlive the boot.
type Store struct {
	dir   *os.File
	limit limit
}

// limit bounds a Store; past it the entries that were not used for longest go.
type limit struct {
	entries int
	bytes   int64
}

// defaultLimit has room for more profiles than a host runs; a Filter of the
// Docker profile takes 3 KiB.
var defaultLimit = limit{entries: 512, bytes: 16 << 20}

// Open opens the store in dir, and makes it if it is not there. It must be a
// directory of the caller's that nobody else can enter, on a path without
// symbolic links.
func Open(dir string) (*Store, error) {
	// The directory above is for the published states as well; with 0711
	// others can reach what they know the name of and are allowed to read.
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("store: %w", err)
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", &os.PathError{Op: "openat2", Path: dir, Err: err})
	}
	s := &Store{dir: os.NewFile(uintptr(fd), dir), limit: defaultLimit}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		s.Close()
		return nil, fmt.Errorf("store: %w", &os.PathError{Op: "fstat", Path: dir, Err: err})
	}
	if err := private(&stat, 0o077); err != nil {
		s.Close()
		return nil, fmt.Errorf("store: %s: %w", dir, err)
	}
	return s, nil
}

// Close releases the directory. A nil Store can be closed.
func (s *Store) Close() {
	if s != nil {
		_ = s.dir.Close() // there is nothing in it that could be lost
	}
}

// Result is what Store.Filter found.
type Result struct {
	Filter *Filter
	Hit    bool // it came from the store
	// Took is what making it took, nothing where it came from the store.
	Took Took
	// Fault says why the store could not be read or written. It is no fault of
	// the Filter.
	Fault error
}

// Filter returns the Filter for r: the stored one, or else a new one, which it
// stores. A fault of the store costs a run of the pipeline and is reported,
// but it is no error: a full disk must neither stop containers from starting
// nor, what would be worse, start them without a filter. A nil Store works
// like an empty one that cannot be written to.
func (s *Store) Filter(r Request) (Result, error) {
	if s == nil || r.Compile.Weights != nil { // weights of one's own are not part of a key
		f, took, err := build(r)
		return Result{Filter: f, Took: took}, err
	}
	id, err := buildID()
	if err != nil {
		f, took, buildErr := build(r)
		return Result{Filter: f, Took: took, Fault: err}, buildErr
	}
	key := r.key(id)
	f, fault := s.load(key)
	if f != nil {
		return Result{Filter: f, Hit: true}, nil
	}
	f, took, err := build(r)
	if err != nil {
		return Result{Fault: fault, Took: took}, err
	}
	if f.Verified {
		fault = errors.Join(fault, s.save(key, f))
	}
	return Result{Filter: f, Took: took, Fault: fault}, nil
}

// Find returns the stored Filter whose program has a digest, nil where there is
// none. Of several, with the same program for different profiles, it is the one
// that was used last.
func (s *Store) Find(program [sha256.Size]byte) (*Filter, error) {
	if s == nil {
		return nil, nil
	}
	entries, err := s.entries()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	for _, e := range entries {
		var key Key
		if _, err := hex.Decode(key[:], []byte(e.name)); err != nil {
			continue
		}
		// An entry that is damaged is not looked at; load removes it.
		if f, err := s.read(key); err == nil && f.Program.Digest() == program {
			return f, nil
		}
	}
	return nil, nil
}

// private reports as an error that an inode is not the caller's alone: that it
// has another owner, or one of the permissions that forbidden names.
func private(stat *unix.Stat_t, forbidden uint32) error {
	if owner := uint32(os.Geteuid()); stat.Uid != owner {
		return fmt.Errorf("owned by uid %d, not by %d", stat.Uid, owner)
	}
	if stat.Mode&forbidden != 0 {
		return fmt.Errorf("has mode %#o, others must not have access", stat.Mode&0o7777)
	}
	return nil
}

// load returns the Filter stored under key; nil where there is none, with an
// error where there is an entry that must not be used, which it removes.
func (s *Store) load(key Key) (*Filter, error) {
	f, err := s.read(key)
	switch {
	case err == nil:
		// The time of the last use, for evict. That it cannot be set is no harm.
		_ = unix.UtimesNanoAt(s.fd(), key.String(), []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}, unix.AT_SYMLINK_NOFOLLOW)
		return f, nil
	case errors.Is(err, unix.ENOENT):
		return nil, nil
	}
	// If it stays, save replaces it; if that fails too, it is refused again.
	_ = s.remove(key.String())
	return nil, fmt.Errorf("store: entry %.16s…: %w", key, err)
}

func (s *Store) read(key Key) (*Filter, error) {
	text, err := s.readFile(key.String())
	if err != nil {
		return nil, err
	}
	f := new(Filter)
	if err := f.decode(key, text); err != nil {
		return nil, err
	}
	return f, nil
}

// readFile reads a file of the store that may be used.
func (s *Store) readFile(name string) ([]byte, error) {
	// O_NONBLOCK: a FIFO must not make a container wait.
	fd, err := unix.Openat(s.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("not a regular file")
	case stat.Nlink > 1: // with 0 another process has just replaced it
		return nil, fmt.Errorf("has %d links", stat.Nlink)
	case stat.Size > maxEncoded:
		return nil, fmt.Errorf("has %d bytes, at most %d are read", stat.Size, maxEncoded)
	}
	if err := private(&stat, 0o022); err != nil {
		return nil, err
	}
	text := make([]byte, stat.Size)
	if _, err := io.ReadFull(file, text); err != nil {
		return nil, err
	}
	return text, nil
}

// newPrefix begins the names of files that are being written.
const newPrefix = ".new-"

// save stores f under key and makes room for it.
func (s *Store) save(key Key, f *Filter) error {
	text, err := f.encode(key)
	if err == nil {
		err = s.write(key.String(), text)
	}
	if err == nil {
		err = s.evict(time.Now())
	}
	if err != nil {
		return fmt.Errorf("store: entry %.16s…: %w", key, err)
	}
	return nil
}

// write makes or replaces a file whole.
func (s *Store) write(name string, text []byte) error {
	temporary := fmt.Sprintf("%s%016x", newPrefix, rand.Uint64())
	fd, err := unix.Openat(s.fd(), temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), temporary)
	_, err = file.Write(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = unix.Renameat(s.fd(), temporary, s.fd(), name)
	}
	if err != nil {
		_ = s.remove(temporary) // or evict does
	}
	return err
}

// remove removes a name, whatever it is the name of.
func (s *Store) remove(name string) error {
	err := unix.Unlinkat(s.fd(), name, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(s.fd(), name, unix.AT_REMOVEDIR)
	}
	return err
}

func (s *Store) fd() int { return int(s.dir.Fd()) }
