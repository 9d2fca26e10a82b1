package precompute

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Entry is how a system call came into the kernel.
type Entry uint8

// The entries. On x86 the instruction decides; elsewhere there is one.
const (
	EntryNative    Entry = iota // the system call instruction of another architecture
	EntrySyscall64              // SYSCALL in 64-bit code
	EntryInt80                  // INT $0x80, in 32-bit and in 64-bit code: i386's calls either way
	// EntryInt80Translated is SYSENTER, or SYSCALL in 32-bit code. Both lose the
	// address that they come from, so only the vDSO makes them, and the kernel
	// returns to the INT $0x80 beside them (arch/x86/entry/vdso/vdso32). The
	// instruction pointer is always that one's; who called the vDSO is on the
	// stack.
	EntryInt80Translated
)

var entryNames = [...]string{"native", "syscall64", "int80", "int80 translated"}

func (e Entry) String() string {
	if int(e) < len(entryNames) {
		return entryNames[e]
	}
	return fmt.Sprintf("Entry(%d)", uint8(e))
}

// Call is one system call as an emulation filter sees it: all of the caller's
// state, not only what seccomp filters see.
type Call struct {
	bpf.Data
	Entry Entry
	// Registers are the caller's, in the order of the architecture's struct
	// user_regs_struct (NT_PRSTATUS of ptrace(2)); nil where no filter asks.
	Registers []uint64
	// Memory is the caller's address space, the offset being the address. An
	// error is a fault. Nil: nothing can be read.
	Memory io.ReaderAt
}

// ErrFault says that memory of the caller cannot be read.
var ErrFault = errors.New("precompute: no such memory of the caller")

// Read reads the caller's memory. An error, after which the call is to be
// redirected, wraps ErrFault.
func (c *Call) Read(b []byte, address uint64) error {
	if c.Memory == nil || int64(address) < 0 {
		return fmt.Errorf("%w: %d bytes at %#x", ErrFault, len(b), address)
	}
	if n, err := c.Memory.ReadAt(b, int64(address)); n < len(b) {
		return fmt.Errorf("%w: %d bytes at %#x: %w", ErrFault, len(b), address, err)
	}
	return nil
}

// Route is where an emulation filter sends a call. The zero value is a
// redirection.
type Route struct {
	// Pass lets the call go on to the seccomp filters, which decide. Otherwise
	// the call is not made, and the thread gets SIGSYS.
	Pass bool
	// Data comes with the SIGSYS, as si_errno.
	Data uint16
}

// EmulationFilter decides which of a task's system calls are for the kernel,
// before the seccomp filters decide whether the kernel makes them. It is not
// the security boundary: it is for code that was written for another system,
// whose calls an emulator in the same process answers from its SIGSYS handler.
type EmulationFilter interface {
	// Route decides on one call. On an error the call is redirected.
	Route(c *Call) (Route, error)
}

// ErrEmulation says that a task has an emulation filter already.
var ErrEmulation = errors.New("precompute: the task has an emulation filter already")

// Task is a thread's seccomp filters and the emulation filter that stands
// before them, by the rules of the proposal of 2020 for seccomp: at most one,
// copied by clone(2) and gone with execve(2). Linux's own Syscall User Dispatch
// (kernel/entry/syscall_user_dispatch.c, since 5.11) differs: a new thread or
// child has none, a thread can replace or drop its own, and where the memory
// that it is told by cannot be read the process is killed.
//
// What Task does not define, Append, Sync and Effect among others, is the
// Chain's: a filter with TSYNC leaves the emulation filters of all threads
// alone.
type Task struct {
	*Chain
	emulation EmulationFilter
}

// NewTask returns a task with these seccomp filters and no emulation filter.
func NewTask(c *Chain) *Task { return &Task{Chain: c} }

// Emulate puts f before the seccomp filters. A second one is ErrEmulation.
func (t *Task) Emulate(f EmulationFilter) error {
	if t.emulation != nil {
		return ErrEmulation
	}
	t.emulation = f
	return nil
}

// Emulated reports whether the task has an emulation filter.
func (t *Task) Emulated() bool { return t.emulation != nil }

// Evaluate returns what happens to a call: the emulation filter is asked, and
// for what it lets pass, the chain. Like Chain.Evaluate it does not allocate,
// unless the emulation filter does.
func (t *Task) Evaluate(c *Call) Decision {
	if t.emulation != nil {
		r, err := t.emulation.Route(c)
		if err != nil {
			r = Route{} // what has faulted knows nothing of the caller
		}
		if !r.Pass {
			return Decision{Return: bpf.RetTrap | bpf.Return(r.Data), Filter: -1, Redirected: true}
		}
	}
	return t.Chain.Evaluate(&c.Data)
}

// Clone returns what a new thread or process has: clone(2), fork(2). Both
// filters are copied.
func (t *Task) Clone() *Task { return &Task{t.Chain.Clone(), t.emulation} }

// Exec is what execve(2) does: the emulation filter spoke of a program that is
// gone; the seccomp filters stay.
func (t *Task) Exec() {
	t.Chain.Exec()
	t.emulation = nil
}

// Area is a run of addresses, End not included.
type Area struct{ Start, End uint64 }

// Contains reports whether an address is in the area.
func (a Area) Contains(address uint64) bool { return a.Start <= address && address < a.End }

func (a Area) String() string { return fmt.Sprintf("%#x-%#x", a.Start, a.End) }

// ABI numbers the systems that the code of a process was written for.
type ABI uint16

// ABILinux is this system: such code's calls pass.
const ABILinux ABI = 0

// Code is an area and what its code was written for.
type Code struct {
	Area
	ABI ABI
}

// AreaError says which area of a list cannot be.
type AreaError struct {
	Area Area
	With *Area // the area that it overlaps, nil where it is empty
}

func (e *AreaError) Error() string {
	if e.With != nil {
		return fmt.Sprintf("precompute: areas %s and %s overlap", *e.With, e.Area)
	}
	return fmt.Sprintf("precompute: area %s is empty", e.Area)
}

// MemoryAreas passes the calls that are made from some areas, and redirects
// those from elsewhere. A call is made from where it returns to, the address
// after the system call instruction: that is what the kernel has.
type MemoryAreas struct{ areas areas }

// NewMemoryAreas returns the filter. The areas may come in any order; one that
// is empty or overlaps another is an *AreaError.
func NewMemoryAreas(list ...Area) (*MemoryAreas, error) {
	m := &MemoryAreas{slices.Clone(list)}
	slices.SortFunc(m.areas, Area.compare)
	if err := m.areas.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// Route implements EmulationFilter.
func (m *MemoryAreas) Route(c *Call) (Route, error) {
	_, found := m.areas.find(c.IP)
	return Route{Pass: found}, nil
}

// ABIAreas tells the ABI of a caller by where it is. Linux's passes; a call of
// another one is redirected with the ABI as Data, so that the handler knows
// whose call it answers.
type ABIAreas struct {
	elsewhere ABI
	areas     areas
	abis      []ABI // of each area
}

// NewABIAreas returns the filter; code in no area has the ABI elsewhere. The
// areas may come in any order; one that is empty or overlaps another is an
// *AreaError.
func NewABIAreas(elsewhere ABI, code ...Code) (*ABIAreas, error) {
	a := &ABIAreas{elsewhere: elsewhere}
	sorted := slices.Clone(code)
	slices.SortFunc(sorted, func(a, b Code) int { return a.compare(b.Area) })
	for _, c := range sorted {
		a.areas = append(a.areas, c.Area)
		a.abis = append(a.abis, c.ABI)
	}
	if err := a.areas.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// ABI returns the ABI of the code at an address.
func (a *ABIAreas) ABI(address uint64) ABI {
	if i, found := a.areas.find(address); found {
		return a.abis[i]
	}
	return a.elsewhere
}

// Route implements EmulationFilter.
func (a *ABIAreas) Route(c *Call) (Route, error) {
	abi := a.ABI(c.IP)
	return Route{Pass: abi == ABILinux, Data: uint16(abi)}, nil
}

// areas are in the order of their addresses, none empty, and none overlaps
// another.
type areas []Area

func (a Area) compare(b Area) int { return cmp.Compare(a.Start, b.Start) }

func (s areas) check() error {
	for i, a := range s {
		if a.Start >= a.End {
			return &AreaError{Area: a}
		}
		if i > 0 && a.Start < s[i-1].End {
			return &AreaError{Area: a, With: &s[i-1]}
		}
	}
	return nil
}

// find returns which area an address is in.
func (s areas) find(address uint64) (int, bool) {
	lo, hi := 0, len(s) // the area, if any, is in s[lo:hi]
	for lo < hi {
		switch mid := int(uint(lo+hi) / 2); {
		case address < s[mid].Start:
			hi = mid
		case address >= s[mid].End:
			lo = mid + 1
		default:
			return mid, true
		}
	}
	return 0, false
}
