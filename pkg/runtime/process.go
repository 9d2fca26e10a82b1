package runtime

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// parentOf returns the parent of a process.
func parentOf(pid int) (int, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s: malformed", path)
	}
	return strconv.Atoi(string(fields[1]))
}

// processOf returns the number of the process that a pidfd refers to. The error
// wraps os.ErrProcessDone where that has ended.
func processOf(pidfd int) (int, error) {
	path := "/proc/self/fdinfo/" + strconv.Itoa(pidfd)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("Pid:")); ok {
			pid, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			if pid <= 0 {
				return 0, os.ErrProcessDone
			}
			return pid, nil
		}
	}
	return 0, fmt.Errorf("%s: no pidfd", path)
}
