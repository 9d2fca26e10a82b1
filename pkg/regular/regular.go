// Package regular reads files that must be regular ones. A name that others can
// write may lead to a FIFO whose writer never comes, or to a device without an
// end: a start that opened it would wait for ever.
package regular

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Flags open a file to read, without waiting for the writer of a FIFO, and not as
// the controlling terminal.
const Flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NONBLOCK | syscall.O_NOCTTY

// Read reads an open file, at most limit bytes. One that is not regular, or larger,
// is an error that does not name it.
func Read(file *os.File, limit int64) ([]byte, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return text, err
}

// ReadFile opens and reads a file, at most limit bytes. The error names it.
func ReadFile(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, Flags, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := Read(file, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}
