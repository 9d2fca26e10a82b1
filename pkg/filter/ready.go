package filter

import (
	"fmt"
	"time"
)

// readyPrefix begins the names of ready filters.
const readyPrefix = "ready-"

// ReadyName returns the name of a ready filter's file.
func ReadyName(hash uint64) string { return fmt.Sprintf("%s%x", readyPrefix, hash) }

// SaveReady keeps a Filter in the form that a start takes without a Go program,
// under a hash of all that decides on it. What the form is, and that the text says
// what it is of, is the writer's and the reader's affair (pkg/runtime, ready.go;
// cmd/seccomp-runc, ready.c). A nil Store keeps nothing.
func (s *Store) SaveReady(hash uint64, text []byte) error {
	if s == nil {
		return nil
	}
	err := s.write(ReadyName(hash), text)
	if err == nil {
		err = s.evict(time.Now())
	}
	if err != nil {
		return fmt.Errorf("store: ready filter: %w", err)
	}
	return nil
}
