//go:build linux

package install

import (
	"errors"
	"fmt"
	"strings"
)

// Outcome is what became of an installation after Install has returned: the
// program was let go of, or killed at its exec because something that it was
// to have could not be given to it. An installer writes it to Request.Outcome,
// one line.
type Outcome struct {
	// PID is the process that executed the program.
	PID int
	// Area is where the program may make system calls from, where Dispatch was
	// asked for.
	Area *Area
	// Err says why the program was killed, nil where it runs.
	Err error
}

// String returns the outcome as a line without its end: "live PID",
// "live PID START-END", "killed PID REASON".
func (o *Outcome) String() string {
	switch {
	case o.Err != nil:
		return fmt.Sprintf("killed %d %s", o.PID, strings.ReplaceAll(o.Err.Error(), "\n", " "))
	case o.Area != nil:
		return fmt.Sprintf("live %d %s", o.PID, o.Area)
	default:
		return fmt.Sprintf("live %d", o.PID)
	}
}

// ParseOutcome parses what String returns. Nothing at all means that the
// program has not been executed yet.
func ParseOutcome(line string) (*Outcome, error) {
	var o Outcome
	verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	number, rest, more := strings.Cut(rest, " ")
	if _, err := fmt.Sscanf(number, "%d", &o.PID); err != nil || fmt.Sprint(o.PID) != number {
		return nil, fmt.Errorf("install: outcome %q: no process id", line)
	}
	switch {
	case verb == "killed":
		o.Err = errors.New(rest)
		return &o, nil
	case verb == "live" && !more:
		return &o, nil
	case verb == "live":
		if area, isArea, err := parseArea(rest); isArea && err == nil {
			o.Area = &area
			return &o, nil
		}
	}
	return nil, fmt.Errorf("install: outcome %q", line)
}
