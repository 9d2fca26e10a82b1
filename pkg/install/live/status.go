//go:build linux

package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Status is what /proc/PID/status says about seccomp.
type Status struct {
	Name       string // the program's name, shortened by the kernel to 15 bytes
	Mode       int    // Seccomp: 0 disabled, 1 strict, 2 filter
	Filters    int    // Seccomp_filters (Linux 5.9), -1 where the kernel does not say
	NoNewPrivs bool

	tracer int // TracerPid
}

// ReadStatus reads the status of a thread. The error is ErrNoThread where there
// is none.
func ReadStatus(tid int) (Status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoThread
	}
	if err != nil {
		return Status{}, fmt.Errorf("live: thread %d: %w", tid, err)
	}
	s := Status{Filters: -1}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		number, _ := strconv.Atoi(value)
		switch name {
		case "Name":
			s.Name = value
		case "Seccomp":
			s.Mode = number
		case "Seccomp_filters":
			s.Filters = number
		case "NoNewPrivs":
			s.NoNewPrivs = number == 1
		case "TracerPid":
			s.tracer = number
		}
	}
	return s, nil
}
