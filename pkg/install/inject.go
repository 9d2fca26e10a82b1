//go:build linux

package install

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// injection makes system calls in a stopped thread. The thread's signals are
// blocked meanwhile, except SIGKILL and SIGSTOP, and its registers saved; end
// puts both back.
type injection struct {
	*tracer
	tid   int
	abi   *abi
	at    uint64 // a system call instruction in the thread's memory
	saved registers
	mask  signalMask
}

// inject prepares a thread for injected calls. It must be stopped where it is
// not inside a system call: at a PTRACE_EVENT_STOP, or at a syscall-exit stop.
// Not at a signal-delivery stop: the signal would be lost.
func (t *tracer) inject(p *process, tid int) (*injection, error) {
	in := &injection{tracer: t, tid: tid}
	if err := getRegisters(tid, &in.saved); err != nil {
		return nil, fmt.Errorf("read the registers of thread %d: %w", tid, err)
	}
	if in.abi = abiOf(&in.saved); in.abi == nil {
		return nil, fmt.Errorf("thread %d, with %d bytes of registers: %w", tid, in.saved.size, ErrUnsupported)
	}
	var err error
	if in.at, err = in.findInstruction(p); err != nil {
		return nil, err
	}
	if in.mask, err = getSignalMask(tid); err != nil {
		return nil, fmt.Errorf("read the signal mask of thread %d: %w", tid, err)
	}
	if err := setSignalMask(tid, ^trap); err != nil {
		return nil, fmt.Errorf("block the signals of thread %d: %w", tid, err)
	}
	return in, nil
}

// trap is the mask bit of SIGTRAP, the signal of a single step: were it
// blocked, the kernel would reset its handler (force_sig_info_to_task).
const trap signalMask = 1 << (unix.SIGTRAP - 1)

// vdsoSize is enough of the vDSO to find a system call in, for every kernel
// known: the fallback of clock_gettime is in its first pages.
const vdsoSize = 4 * 4096

// findInstruction returns the address of a system call instruction. Nothing
// is written to the process's code, which other threads run: one blocked in a
// call, as nearly all threads of a waiting runtime are, is just behind the
// instruction, and there is another in the vDSO.
func (in *injection) findInstruction(p *process) (uint64, error) {
	want := in.abi.instruction
	code := make([]byte, vdsoSize)
	here := in.abi.pc(&in.saved) - uint64(len(want))
	// Just before the program counter; or at it, where the kernel has set it
	// back to restart the call, and leaves it at that.
	if n, _ := p.readMemory(here, code[:2*len(want)]); n > 0 {
		if i := bytes.Index(code[:n], want); i == 0 || i == len(want) && !in.abi.elsewhere {
			return here + uint64(i), nil
		}
	}
	vdso, err := p.vdso(in.abi.word)
	if err != nil {
		return 0, err
	}
	n, err := p.readMemory(vdso, code)
	if i := bytes.Index(code[:n], want); i >= 0 {
		return vdso + uint64(i), nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the vDSO: %w", err)
	}
	return 0, fmt.Errorf("no system call instruction in the vDSO: %w", ErrUnsupported)
}

// call makes one system call and returns its result, negative errnos included.
// The error says that the call could not be made, or that it is not known
// whether it was.
func (in *injection) call(number uint64, args ...uint64) (int64, error) {
	var six [6]uint64
	copy(six[:], args)
	regs := in.saved
	in.abi.prepare(&regs, in.at, number, &six)
	if err := setRegisters(in.tid, &regs); err != nil {
		return 0, err
	}
	// One single step over the instruction is one stop; stops at the call's
	// entry and exit (PTRACE_SYSCALL) would be two, and each takes as long as
	// an average call.
	after := in.at + uint64(len(in.abi.instruction))
	var signal unix.Signal
	for {
		if err := resume(unix.PTRACE_SINGLESTEP, in.tid, signal); err != nil {
			return 0, err
		}
		s, err := in.await(in.tid)
		switch {
		case err != nil:
			return 0, err
		case s.ended():
			return 0, ErrGone
		case s.event() == unix.PTRACE_EVENT_EXEC:
			return 0, ErrEarlyExec
		}
		if signal = s.delivery(); signal != unix.SIGTRAP {
			continue // SIGSTOP, which cannot be blocked, or the group-stop after it
		}
		if err := getRegisters(in.tid, &regs); err != nil {
			return 0, err
		}
		if in.abi.pc(&regs) == after {
			return in.abi.result(&regs), nil
		}
		signal = 0
	}
}

// end puts the thread's registers and signal mask back. The thread stays at
// the stop behind the last injected call, whose signal must not be delivered.
func (in *injection) end() error {
	if err := setRegisters(in.tid, &in.saved); err != nil {
		return err
	}
	if in.abi.resumed != nil {
		if err := in.abi.resumed(in.tid); err != nil {
			return err
		}
	}
	return setSignalMask(in.tid, in.mask)
}

// errno splits the result of a call as the C library does.
func errno(r int64) unix.Errno {
	if r < 0 && r >= -4095 {
		return unix.Errno(-r)
	}
	return 0
}

// attachment is what attaching a filter by injection returned.
type attachment struct {
	result int64 // of seccomp(2)
	errno  unix.Errno
}

// attach makes the thread attach the filter to its whole process. The program
// is put into memory that is mapped for it and unmapped again: a thread of a
// Go or musl program may have next to no stack left. at is called before each
// step.
func (in *injection) attach(p *process, f *Filter, at func(Step)) (attachment, error) {
	image := in.abi.program(f)
	at(StepMap)
	r, err := in.call(in.abi.numbers.mmap, 0, uint64(len(image)), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uint64(0), 0)
	if err != nil {
		return attachment{}, err
	}
	if e := errno(r); e != 0 {
		return attachment{}, fmt.Errorf("mmap in thread %d: %w", in.tid, e)
	}
	scratch := uint64(r)
	if in.abi.word == 4 {
		scratch = uint64(uint32(r)) // the upper half of a 32-bit address is not a sign
	}

	at(StepWrite)
	in.abi.relocate(image, scratch)
	if err := p.writeMemory(scratch, image); err != nil {
		return attachment{}, err
	}

	at(StepAttach)
	if r, err = in.call(in.abi.numbers.seccomp, unix.SECCOMP_SET_MODE_FILTER, uint64(f.kernelFlags()), scratch); err != nil {
		return attachment{}, err
	}
	done := attachment{result: r, errno: errno(r)}

	at(StepUnmap)
	if r, err = in.call(in.abi.numbers.munmap, scratch, uint64(len(image))); err != nil {
		return attachment{}, err
	}
	if e := errno(r); e != 0 {
		return attachment{}, fmt.Errorf("munmap in thread %d: %w", in.tid, e)
	}
	return done, nil
}

// headerSize is room for struct sock_fprog, of either word size, before the
// instructions.
const headerSize = 16

// program lays out a struct sock_fprog and its instructions for the tracee, as
// relocate finishes it once the address is known.
func (a *abi) program(f *Filter) []byte {
	var header [headerSize]byte
	binary.NativeEndian.PutUint16(header[:], uint16(len(f.Program)))
	return append(header[:], instructions(f)...)
}

// instructions returns the program as an array of struct sock_filter.
func instructions(f *Filter) []byte {
	raw := make([]byte, 0, 8*len(f.Program))
	for _, in := range f.Program {
		raw = binary.NativeEndian.AppendUint16(raw, in.Code)
		raw = append(raw, in.Jt, in.Jf)
		raw = binary.NativeEndian.AppendUint32(raw, in.K)
	}
	return raw
}

// relocate writes the pointer to the instructions into the struct sock_fprog.
func (a *abi) relocate(image []byte, address uint64) {
	if a.word == 4 {
		binary.NativeEndian.PutUint32(image[4:], uint32(address+headerSize))
		return
	}
	binary.NativeEndian.PutUint64(image[8:], address+headerSize)
}
