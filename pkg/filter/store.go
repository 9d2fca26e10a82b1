package filter

import "errors"

// Dir is where the Store is, on a tmpfs of root's.
const Dir = "/run/seccomp-hook/store"

// Store keeps Filters in a directory.
type Store struct{}

// Open opens the store in dir, and makes it if it is not there. It must be a
// directory of the caller's that no one else can enter (0700).
func Open(dir string) (*Store, error) { return nil, errors.ErrUnsupported }

// Close releases the directory.
func (s *Store) Close() error { return nil }

// Filter returns the Filter for r: the stored one, or else a new one, which it
// stores. A fault of the store is no fault of the Filter: it is in
// Result.Fault, and the Filter is good.
func (s *Store) Filter(r Request) (Result, error) { return Result{}, errors.ErrUnsupported }

// Result is what Store.Filter found.
type Result struct {
	Filter *Filter
	Hit    bool  // it came from the store
	Fault  error // why it was not read from the store, or not written to it
}

// MarshalBinary returns f in the form that the Store keeps, for one who hands
// a Filter to another process.
func (f *Filter) MarshalBinary() ([]byte, error) { return nil, errors.ErrUnsupported }

// UnmarshalBinary reads what MarshalBinary writes, and refuses whatever is not
// exactly that.
func (f *Filter) UnmarshalBinary(b []byte) error { return errors.ErrUnsupported }
