//go:build linux

package install

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrDynamic says why a program got no Dispatch: the program is dynamically linked. Its system calls come from
// its libraries, and when it begins they are not mapped yet.
var ErrDynamic = errors.New("the program is dynamically linked, and its libraries are not mapped yet")

// openTracee opens /proc/PID of a stopped tracee, whose number cannot become
// another's meanwhile. Its pidfd is that of no process.
func openTracee(pid int) (*process, error) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/%d: %w", pid, err)
	}
	return &process{pid: pid, dir: dir, pidfd: -1}, nil
}

// armAtExec lets a program that is stopped at its exec make system calls from
// the given areas only, and returns what they are.
func armAtExec(pid int, areas *Areas) (*Area, error) {
	p, err := openTracee(pid)
	if err != nil {
		return nil, err
	}
	defer unix.Close(p.dir)
	var regs registers
	if err := getRegisters(pid, &regs); err != nil {
		return nil, fmt.Errorf("read the registers: %w", err)
	}
	abi := abiOf(&regs)
	if abi == nil {
		return nil, ErrUnsupported
	}
	vector, err := p.auxiliary(abi.word)
	if err != nil {
		return nil, err
	}
	if vector[atBase] != 0 {
		return nil, ErrDynamic
	}
	text, err := p.read("maps")
	if err != nil {
		return nil, err
	}
	maps, err := parseMappings(string(text))
	if err != nil {
		return nil, err
	}
	area, err := areas.resolve(maps, vector[atEntry])
	if err != nil {
		return nil, err
	}
	if abi.word == 4 && area.End > 1<<32 {
		return nil, fmt.Errorf("area %s ends past the address space of a 32-bit program", area)
	}
	if vdso := vector[atSysinfoEHDR]; vdso != 0 && (vdso < area.Start || vdso >= area.End) {
		// The vDSO makes real calls where it cannot answer itself, and those
		// would be dispatched. A program that does not find it makes all
		// calls in its own text.
		if err := p.hideVDSO(abi.sp(&regs), abi.word); err != nil {
			return nil, fmt.Errorf("hide the vDSO: %w", err)
		}
	}
	dispatch := Dispatch{On: true, Area: area}
	return &area, dispatch.arm(pid)
}

// hideVDSO takes the vDSO out of the auxiliary vector on the stack of a program
// that has not begun: sp points to argc, the arguments and the environment
// follow, each list with a null at its end, then the vector (execve(2), System
// V ABI).
func (p *process) hideVDSO(sp uint64, word int) error {
	at := sp
	next := func() (uint64, error) {
		b := make([]byte, word)
		if n, err := p.readMemory(at, b); n != word {
			return 0, fmt.Errorf("read the stack at %#x: %w", at, err)
		}
		at += uint64(word)
		return loadWord(b, word), nil
	}
	arguments, err := next()
	if err != nil {
		return err
	}
	at += (arguments + 1) * uint64(word)
	for {
		pointer, err := next()
		if err != nil {
			return err
		}
		if pointer == 0 {
			break // the end of the environment
		}
	}
	for {
		entry := at
		kind, err := next()
		if err != nil || kind == 0 {
			return err
		}
		at += uint64(word)
		if kind == atSysinfo || kind == atSysinfoEHDR {
			ignore := make([]byte, word)
			ignore[0] = atIgnore // both architectures are little-endian
			if err := p.writeMemory(entry, ignore); err != nil {
				return err
			}
		}
	}
}
