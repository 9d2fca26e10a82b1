package filter

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// abandoned is how old a file under a temporary name is when nobody can be
// writing it any more.
const abandoned = time.Minute

// entry is a file of the store.
type entry struct {
	name string
	size int64
	used time.Time // for the last time
}

// evict removes the entries that were not used for longest until the store is
// within its limit, and what writers that died have left. Names that are not
// the store's are let alone: the published state of a container whose id is
// "store" is in the same directory.
func (s *Store) evict(now time.Time) error {
	entries, err := s.entries()
	if err != nil {
		return err
	}
	var size int64
	kept := 0
	for _, e := range entries {
		if isKey(e.name) || strings.HasPrefix(e.name, readyPrefix) {
			size += e.size
			kept++
			if kept <= s.limit.entries && size <= s.limit.bytes {
				continue
			}
		} else if now.Sub(e.used) <= abandoned {
			continue
		}
		if err := s.remove(e.name); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// entries lists the store's files, what is being written included, the one that
// was used last first.
func (s *Store) entries() ([]entry, error) {
	// A descriptor of its own, as the position of s.dir is shared by all users
	// of the Store.
	fd, err := unix.Openat(s.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), s.dir.Name())
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, name := range names {
		if !strings.HasPrefix(name, newPrefix) && !strings.HasPrefix(name, readyPrefix) && !isKey(name) {
			continue
		}
		var stat unix.Stat_t
		if unix.Fstatat(fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil { // else another process was faster
			entries = append(entries, entry{name, stat.Size, time.Unix(stat.Mtim.Unix())})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if order := b.used.Compare(a.used); order != 0 {
			return order
		}
		return strings.Compare(a.name, b.name)
	})
	return entries, nil
}

// isKey reports whether a name is one that Key.String gives.
func isKey(name string) bool {
	return len(name) == 2*len(Key{}) && strings.Trim(name, "0123456789abcdef") == ""
}
