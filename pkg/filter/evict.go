package filter

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// abandoned is how old a file under a temporary name is when nobody can be
// writing it any more.
const abandoned = time.Minute

// entry is a stored Filter by its file.
type entry struct {
	name string
	size int64
	used time.Time
}

// evict removes the entries that were not used for longest until the store is
// within its limit, and what writers that died have left. Names that are not
// the store's are let alone: the published state of a container whose id is
// "store" is in the same directory.
func (s *Store) evict(now time.Time) error {
	entries, err := s.entries(now)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if order := b.used.Compare(a.used); order != 0 {
			return order // the newest first
		}
		return strings.Compare(a.name, b.name)
	})
	var size int64
	for i, e := range entries {
		size += e.size
		if i < s.limit.entries && size <= s.limit.bytes {
			continue
		}
		if err := s.remove(e.name); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// entries lists the store, and removes what writers have abandoned.
func (s *Store) entries(now time.Time) ([]entry, error) {
	// A descriptor of its own, as the position of s.dir is shared by all users
	// of the Store.
	fd, err := unix.Openat(s.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), s.dir.Name())
	defer dir.Close()
	var entries []entry
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			isNew := strings.HasPrefix(name, newPrefix)
			if !isNew && !isKey(name) {
				continue
			}
			var stat unix.Stat_t
			if unix.Fstatat(fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue // another process was faster
			}
			used := time.Unix(stat.Mtim.Unix())
			switch {
			case !isNew:
				entries = append(entries, entry{name, stat.Size, used})
			case now.Sub(used) > abandoned:
				_ = s.remove(name) // the next one tries again
			}
		}
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// isKey reports whether a name is one that Key.String gives.
func isKey(name string) bool {
	return len(name) == 2*len(Key{}) && strings.Trim(name, "0123456789abcdef") == ""
}
