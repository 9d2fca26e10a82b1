// Package counter keeps numbers that the processes of a host add to, most of which
// live for a container's start and no longer. They are for what is rare and slow: a
// start that finds its filter ready counts nothing, so that it costs nothing.
package counter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/regular"
)

// file is the name of the file, below a root.
const file = "counters"

// maxSize is the largest file that is read, in bytes. The names are few.
const maxSize = 1 << 16

// Counters that have no label.
const (
	StoreMisses    = "store_misses"    // filters that a start, or warm, had to make
	CompileSeconds = "compile_seconds" // what reading, resolving and compiling their profiles took
	ProofSeconds   = "proof_seconds"   // what their proofs took
)

// FailurePrefix begins the name of the counter of the failures that have a reason.
const FailurePrefix = "install_failures."

// ErrBusy says that other processes kept the counters to themselves.
var ErrBusy = errors.New("the counters are locked")

// Add adds to counters below a root (hook.DefaultRoot), which must be there. What is
// not written is lost, and no more: callers do not fail for that.
func Add(root string, values map[string]float64) error {
	f, err := open(root, unix.O_RDWR|unix.O_CREAT, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer f.Close()
	// What a full disk, or a process that was killed, has left begins anew, as it
	// does after a boot; Prometheus knows such a reset of a counter.
	counters, _ := read(f)
	if counters == nil {
		counters = map[string]float64{}
	}
	for name, value := range values {
		counters[name] += value
	}
	text, err := json.Marshal(counters)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(text, 0)
	}
	if err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	return nil
}

// Read returns the counters below a root, none where nothing was counted yet.
func Read(root string) (map[string]float64, error) {
	f, err := open(root, unix.O_RDONLY, unix.LOCK_SH)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f)
}

func read(f *os.File) (map[string]float64, error) {
	text, err := regular.Read(f, maxSize)
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	var counters map[string]float64
	if len(text) == 0 {
		return nil, nil // it has just been made
	}
	if err := json.Unmarshal(text, &counters); err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	return counters, nil
}

// tries is how often a lock is asked for, a millisecond apart: who has it, has it for
// less, unless it was stopped. A container's start must not wait for that one.
const tries = 100

func open(root string, flags, lock int) (*os.File, error) {
	path := filepath.Join(root, file)
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	for range tries {
		err = unix.Flock(int(f.Fd()), lock|unix.LOCK_NB)
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		err = ErrBusy
		time.Sleep(time.Millisecond) //nolint:forbidigo // who waits for a lock, waits for as long as it takes
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("counters: %w", err)
	}
	return f, nil
}
