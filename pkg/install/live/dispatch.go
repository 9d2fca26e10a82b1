//go:build linux

package live

import (
	"errors"
	"fmt"

	"seccomp-hook/pkg/install"
)

// Dispatch is the Syscall User Dispatch that a thread has.
type Dispatch struct {
	// Area is from where calls pass, as /proc/PID/maps writes addresses.
	Area string `json:"area"`
	// AllBut says that they pass from everywhere else instead
	// (PR_SYS_DISPATCH_INCLUSIVE_ON).
	AllBut bool `json:"allBut,omitempty"`
	// Selector is the address of the byte by which the thread lets all calls
	// pass, "" for none.
	Selector string `json:"selector,omitempty"`
}

func (d *Dispatch) String() string {
	text := "calls pass from " + d.Area
	if d.AllBut {
		text = "calls pass from all but " + d.Area
	}
	if d.Selector != "" {
		text += ", and from anywhere while the byte at " + d.Selector + " says so"
	}
	return text
}

// inspectStopped reads what only a tracer can, all in one stop.
func inspectStopped(tid int) (programs []Program, dispatch *Dispatch, err error) {
	err = stopped(tid, func() error {
		var err error
		if programs, err = readPrograms(tid); err != nil {
			return err
		}
		dispatch, err = readDispatch(tid)
		return err
	})
	return programs, dispatch, err
}

// readDispatch reads the dispatch of a stopped thread.
func readDispatch(tid int) (*Dispatch, error) {
	d, err := install.DispatchOf(tid)
	switch {
	case errors.Is(err, install.ErrNoDispatch), err == nil && !d.On:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return describe(d), nil
}

func describe(d install.Dispatch) *Dispatch {
	area := d.Area
	out := &Dispatch{AllBut: area.End < area.Start}
	if out.AllBut {
		area.Start, area.End = area.End, area.Start
	}
	out.Area = area.String()
	if d.Selector != 0 {
		out.Selector = fmt.Sprintf("%#x", d.Selector)
	}
	return out
}
