package precompute

import (
	"errors"
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// Flags are the flags of seccomp(2), SECCOMP_FILTER_FLAG_* in
// <linux/seccomp.h>.
type Flags uint32

// The flags up to Linux 6.18.
const (
	FlagTSync            Flags = 1 << iota // give the filters to all threads of the process
	FlagLog                                // log every action but ALLOW
	FlagSpecAllow                          // no speculation mitigation; without meaning here
	FlagNewListener                        // USER_NOTIF goes to a listener
	FlagTSyncESRCH                         // a thread in the way is ESRCH, not the thread's id
	FlagWaitKillableRecv                   // a received notification is only interrupted by fatal signals

	allFlags = FlagTSync | FlagLog | FlagSpecAllow | FlagNewListener | FlagTSyncESRCH | FlagWaitKillableRecv
)

// Mode is a thread's seccomp mode as /proc/PID/status shows it.
type Mode uint8

// The modes that a Chain has. SECCOMP_MODE_STRICT, 1, has no filters and is not
// modelled.
const (
	ModeDisabled Mode = 0
	ModeFilter   Mode = 2
)

// Chain is the seccomp filters of one thread, as the kernel keeps them: each
// filter points to the one before it, so that threads which had a common past
// share its filters. Make one with NewChain; it may be read by several
// goroutines, but not while one changes it.
type Chain struct {
	endian bpf.Endian
	tokens []uint32
	newest *filter // nil: none
}

// filter is one attached filter and the table of the chain that ends with it.
// It never changes.
type filter struct {
	program bpf.Program
	flags   Flags
	older   *filter
	index   int // 0 is the oldest
	length  int // what this and the older filters count towards MaxChainLength, as older ones
	tables  []chainTable
}

// NewChain returns a chain without filters, for a machine of byte order e.
// Evaluate does not run programs for constant calls that carry one of the
// tokens (AUDIT_ARCH_*).
func NewChain(e bpf.Endian, tokens ...uint32) *Chain {
	return &Chain{endian: e, tokens: tokens}
}

// Mode returns the mode that /proc/PID/status shows as "Seccomp:".
func (c *Chain) Mode() Mode {
	if c.newest == nil {
		return ModeDisabled
	}
	return ModeFilter
}

// Len returns how many filters there are: "Seccomp_filters:" of
// /proc/PID/status.
func (c *Chain) Len() int {
	if c.newest == nil {
		return 0
	}
	return c.newest.index + 1
}

// Thread is another thread of the same process, for Sync.
type Thread struct {
	ID    int
	Chain *Chain
}

// Errors of Append and Sync. Result has the value that seccomp(2) returns.
var (
	// ErrFlags says that the flags are unknown or do not go together.
	ErrFlags = errors.New("precompute: no such flags of seccomp(2), or not together")
	// ErrListener says that a filter of the chain has a listener already.
	ErrListener = errors.New("precompute: the chain has a listener already")
)

// ChainLengthError says that a chain would be longer than the kernel allows.
type ChainLengthError struct {
	Length int // by ConvertedLength, with the penalty for older filters
}

func (e *ChainLengthError) Error() string {
	return fmt.Sprintf("precompute: the filters together have %d instructions after conversion, the kernel's limit is %d", e.Length, MaxChainLength)
}

// SyncError says which thread stands in the way of TSYNC: its filters are not
// all among the caller's.
type SyncError struct {
	Thread int
	esrch  bool
}

func (e *SyncError) Error() string {
	return fmt.Sprintf("precompute: thread %d has a filter that the caller does not have", e.Thread)
}

// Errno values of Linux, whatever system this runs on.
const (
	esrch    = 3
	enomem   = 12
	ebusy    = 16
	einval   = 22
	enosys   = 38
	maxErrno = 4095 // MAX_ERRNO in <linux/err.h>
)

// Result returns what seccomp(2) would return where Append or Sync returned
// err: 0, a negative errno, or the id of a thread. The descriptor of a listener
// is the caller's to give out.
func Result(err error) int64 {
	var (
		sync   *SyncError
		length *ChainLengthError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &sync) && sync.esrch:
		return -esrch
	case errors.As(err, &sync):
		return int64(sync.Thread)
	case errors.As(err, &length):
		return -enomem
	case errors.Is(err, ErrListener):
		return -ebusy
	default:
		return -einval
	}
}

// Append attaches a filter, as seccomp(SECCOMP_SET_MODE_FILTER) does, which
// then comes before the others. The chain keeps p, which must not change
// anymore. On an error the chain is as before. FlagTSync is Sync's.
//
// Whether the caller may, by no_new_privs or CAP_SYS_ADMIN (EACCES), is not
// asked here.
func (c *Chain) Append(p bpf.Program, flags Flags) error {
	f, err := c.prepare(p, flags)
	if err != nil {
		return err
	}
	c.newest = f
	return nil
}

// Sync attaches a filter with SECCOMP_FILTER_FLAG_TSYNC: the siblings, the
// other threads of the process in the kernel's order, get all filters of c.
// That is refused, with a *SyncError, where one of them has a filter that c
// does not have.
func (c *Chain) Sync(p bpf.Program, flags Flags, siblings ...Thread) error {
	f, err := c.prepare(p, flags|FlagTSync)
	if err != nil {
		return err
	}
	for _, s := range siblings {
		if !s.Chain.newest.isAncestor(c.newest) {
			return &SyncError{Thread: s.ID, esrch: flags&FlagTSyncESRCH != 0}
		}
	}
	c.newest = f
	for _, s := range siblings {
		s.Chain.newest = f
	}
	return nil
}

// isAncestor reports whether f, or no filter at all, is one of those of newest.
func (f *filter) isAncestor(newest *filter) bool {
	if f == nil {
		return true
	}
	for ; newest != nil; newest = newest.older {
		if newest == f {
			return true
		}
	}
	return false
}

// prepare returns the filter to put in front of the chain. The order of the
// checks is that of seccomp_set_mode_filter.
func (c *Chain) prepare(p bpf.Program, flags Flags) (*filter, error) {
	switch {
	case flags&^allFlags != 0,
		flags&FlagTSync != 0 && flags&FlagNewListener != 0 && flags&FlagTSyncESRCH == 0, // one return value cannot be both
		flags&FlagWaitKillableRecv != 0 && flags&FlagNewListener == 0:
		return nil, ErrFlags
	}
	tables, err := Tables(p, c.tokens...)
	if err != nil {
		return nil, err
	}
	f := &filter{program: p, flags: flags, older: c.newest, length: ConvertedLength(p) + filterPenalty}
	if f.older != nil {
		if flags&FlagNewListener != 0 && c.hasListener() {
			return nil, ErrListener
		}
		f.index = f.older.index + 1
		f.length += f.older.length
	}
	if n := f.length - filterPenalty; n > MaxChainLength {
		return nil, &ChainLengthError{Length: n}
	}
	f.tables = make([]chainTable, len(tables))
	for i, t := range tables {
		var older *chainTable
		if f.older != nil {
			older = &f.older.tables[i]
		}
		f.tables[i] = newChainTable(t, f.index, older)
	}
	return f, nil
}

func (c *Chain) hasListener() bool {
	for f := c.newest; f != nil; f = f.older {
		if f.flags&FlagNewListener != 0 {
			return true
		}
	}
	return false
}

// Clone returns the chain of a new thread or process: clone(2), fork(2). It
// shares the filters that there are; what either appends later is its own.
func (c *Chain) Clone() *Chain {
	clone := *c
	return &clone
}

// Exec is what execve(2) does to the chain: nothing, filters stay.
func (c *Chain) Exec() {}

// Decision is what a chain says to one call.
type Decision struct {
	// Return is the value that has precedence, with the data of the filter it
	// comes from.
	Return bpf.Return
	// Filter is the index of that filter, 0 the oldest; -1 where all allow.
	Filter int
	// Constant says that it comes from the table: no program was run.
	Constant bool
	// Redirected says that an emulation filter (Task) decided, and the chain was
	// not asked. Return is TRAP then.
	Redirected bool
}

// Evaluate returns what happens to call d (seccomp_run_filters in
// kernel/seccomp.c). Every filter is asked, the newest first, and the action
// that is lowest as a signed number wins, the newest of several; its data comes
// with it. ALLOW never has data. It does not allocate.
//
// A Task has an emulation filter before the chain, which is evaluated only for
// what that lets pass.
func (c *Chain) Evaluate(d *bpf.Data) Decision {
	if f := c.newest; f != nil {
		for i := range f.tables {
			if t := &f.tables[i]; t.token == d.Arch {
				var which uint16
				if d.Nr < directSize { // spelled out: this is the whole cost of most calls
					which = t.direct[d.Nr]
				} else {
					which = t.search(d.Nr)
				}
				if which == askPrograms {
					break
				}
				v := &t.verdicts[which]
				return Decision{Return: v.ret, Filter: int(v.filter), Constant: true}
			}
		}
	}
	return c.run(d)
}

// run asks the programs.
func (c *Chain) run(d *bpf.Data) Decision {
	out := Decision{Return: bpf.RetAllow, Filter: -1, Constant: c.newest == nil}
	w := d.Words(c.endian)
	for f := c.newest; f != nil; f = f.older {
		ret, err := f.program.Run(&w)
		if err != nil { // not for a valid program; never open the door on a fault
			ret = bpf.RetKillProcess
		}
		if precedes(ret, out.Return) {
			out.Return, out.Filter = ret, f.index
		}
	}
	return out
}

// precedes reports whether the action of r wins over that of s.
func precedes(r, s bpf.Return) bool {
	return int32(r.Action()) < int32(s.Action())
}
