package filter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is a file of the Store.
type Entry struct {
	Name string // of the file
	Size int64  // in bytes
	Used time.Time
	// Filter is what is stored; nil for a ready filter, and where Err says why it
	// is not used.
	Filter *Filter
	// Ready is the text of a ready filter (SaveReady), nil otherwise.
	Ready []byte
	Err   error
}

// List reads all that is stored, what was used last first. Nothing is removed, and
// nothing counts as used by that.
func (s *Store) List() ([]Entry, error) {
	files, err := s.entries()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var list []Entry
	for _, file := range files {
		e := Entry{Name: file.name, Size: file.size, Used: file.used}
		switch {
		case isKey(file.name):
			var key Key
			_, _ = hex.Decode(key[:], []byte(file.name)) // isKey has looked
			e.Filter, e.Err = s.read(key)
		case strings.HasPrefix(file.name, readyPrefix):
			e.Ready, e.Err = s.readFile(file.name)
		default:
			continue // it is being written
		}
		if errors.Is(e.Err, unix.ENOENT) {
			continue // another process was faster
		}
		list = append(list, e)
	}
	return list, nil
}

// Clear removes all that is stored, and returns how many files these were. The
// containers that run keep their filters, and so do their execs.
func (s *Store) Clear() (int, error) {
	files, err := s.entries()
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	removed := 0
	for _, file := range files {
		switch err := s.remove(file.name); {
		case err == nil:
			removed++
		case !errors.Is(err, unix.ENOENT):
			return removed, fmt.Errorf("store: remove %s: %w", file.name, err)
		}
	}
	return removed, nil
}

// Prove proves once more that the program of f gives every call the verdict of the
// profile that r names. The error is a *NoProgramError where it does not.
func (f *Filter) Prove(r Request) error {
	policy, _, err := r.Policy()
	if err != nil {
		return err
	}
	return prove(r.name(), policy, f.Program)
}
