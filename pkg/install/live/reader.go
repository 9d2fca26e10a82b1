//go:build linux

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/precompute"
)

// maxFilters is how many filters of a chain a Reader reads, the newest ones.
// They must fit the iterator's buffer of 32 KiB.
const maxFilters = 128

// Reader reads the filters of threads out of the running kernel.
type Reader struct {
	kernel  precompute.Kernel
	layout  *layout
	program *ebpf.Program
}

// State is the seccomp state of one thread.
type State struct {
	Mode  int // as in /proc/PID/status
	Count int // of filters
	// Filters are the oldest first, and the newest ones where there are more
	// than 128.
	Filters []Filter
}

// Filter is an attached filter as the kernel has it.
type Filter struct {
	// Length is the kernel's own count of its instructions, after conversion
	// to eBPF: precompute.ConvertedLength.
	Length           int
	Log              bool // SECCOMP_FILTER_FLAG_LOG
	WaitKillableRecv bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	Listener         bool // it has a listener, which is still open
	// Address is where the kernel keeps the filter: what tells two filters with
	// one program apart.
	Address uint64
	// Cache is what is cached for the chain of this filter and all older ones.
	Cache precompute.Cache
}

// Cache returns the cache that calls of the thread meet: that of its newest
// filter. It is false where there is none.
func (s *State) Cache() (precompute.Cache, bool) {
	if len(s.Filters) == 0 {
		return precompute.Cache{}, false
	}
	return s.Filters[len(s.Filters)-1].Cache, true
}

// NewReader loads a BPF program into the kernel, for any number of reads. Close
// unloads it. The error wraps ErrKernelTooOld, ErrNoBTF, ErrPermission or
// precompute.ErrNoCache where they are the reason.
func NewReader() (*Reader, error) {
	kernel, err := Kernel()
	if err != nil {
		return nil, err
	}
	l, err := readLayout()
	if err != nil {
		return nil, fmt.Errorf("live: kernel types: %w", err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "seccomp_filters",
		Type:         ebpf.Tracing,
		AttachType:   ebpf.AttachTraceIter,
		AttachTo:     "task",
		License:      "Dual MIT/GPL", // bpf_seq_write and bpf_probe_read_kernel are GPL-only
		Instructions: l.instructions(),
	})
	if err != nil {
		return nil, fmt.Errorf("live: load BPF program: %w", permission(err, bpfCapabilities))
	}
	return &Reader{kernel: kernel, layout: l, program: program}, nil
}

const bpfCapabilities = "CAP_BPF and CAP_PERFMON"

// Permission makes ErrPermission of the errno that the kernel has for those who
// may not load BPF programs, and returns other errors as they are.
func Permission(err error) error { return permission(err, bpfCapabilities) }

// permission makes ErrPermission, and what it takes, of the errno that the
// kernel has for those who may not. What else a library says to that, advice
// about memory limits of older kernels, does not help.
func permission(err error, takes string) error {
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w, it takes %s: %w", ErrPermission, takes, errno)
		}
	}
	return err
}

// Close unloads the program.
func (r *Reader) Close() error { return r.program.Close() }

// The records that the BPF program writes: one head, and one for each filter,
// the newest first. Bitmaps follow the latter.
const (
	headSize   = 8  // mode, count
	filterSize = 16 // length; log, wait_killable_recv, has a listener, 0; address
)

// instructions is the BPF program: it writes the records of the one task that
// the iterator comes to.
func (l *layout) instructions() asm.Instructions {
	const (
		seq    = asm.R6
		task   = asm.R7
		filter = asm.R8
		left   = asm.R9
	)
	size := int32(filterSize + 8*(l.nativeWords+l.compatWords))
	record := -int16(size)
	put := func(at int16, from asm.Register, size asm.Size) asm.Instruction {
		return asm.StoreMem(asm.RFP, at, from, size)
	}
	write := func(at int16, size int32) asm.Instructions {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, seq),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, int32(at)),
			asm.Mov.Imm(asm.R3, size),
			asm.FnSeqWrite.Call(),
		}
	}
	// Kernel memory goes to the stack by a helper that reads whatever address
	// it is given, so that a chain which changes meanwhile does no harm.
	copyWords := func(at, offset int16, words int) asm.Instructions {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, asm.RFP),
			asm.Add.Imm(asm.R1, int32(at)),
			asm.Mov.Imm(asm.R2, int32(8*words)),
			asm.Mov.Reg(asm.R3, filter),
			asm.Add.Imm(asm.R3, int32(offset)),
			asm.FnProbeReadKernel.Call(),
		}
	}

	p := asm.Instructions{
		asm.LoadMem(task, asm.R1, l.iterTask, asm.DWord),
		asm.LoadMem(seq, asm.R1, l.iterMeta, asm.DWord),
		asm.JEq.Imm(task, 0, "exit"), // the call after the last task
		asm.LoadMem(seq, seq, l.metaSeq, asm.DWord),

		asm.LoadMem(asm.R1, task, l.taskMode, asm.Word),
		put(-headSize, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, task, l.taskCount, asm.Word),
		put(-headSize+4, asm.R1, asm.Word),
	}
	p = append(p, write(-headSize, headSize)...)
	p = append(p,
		asm.LoadMem(filter, task, l.taskFilter, asm.DWord),
		asm.Mov.Imm(left, maxFilters),

		asm.JEq.Imm(filter, 0, "exit").WithSymbol("next"),
		asm.LoadMem(asm.R1, filter, l.filterProg, asm.DWord),
		asm.LoadMem(asm.R1, asm.R1, l.progLen, asm.Word),
		put(record, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, filter, l.filterLog, asm.Byte),
		put(record+4, asm.R1, asm.Byte),
		asm.LoadMem(asm.R1, filter, l.filterKillable, asm.Byte),
		put(record+5, asm.R1, asm.Byte),
		asm.LoadMem(asm.R1, filter, l.filterNotif, asm.DWord),
		asm.Mov.Imm(asm.R2, 0),
		asm.JEq.Imm(asm.R1, 0, "listener"),
		asm.Mov.Imm(asm.R2, 1),
		put(record+6, asm.R2, asm.Byte).WithSymbol("listener"),
		asm.Mov.Imm(asm.R2, 0),
		put(record+7, asm.R2, asm.Byte),
		put(record+8, filter, asm.DWord),
	)
	p = append(p, copyWords(record+filterSize, l.filterNative, l.nativeWords)...)
	if l.compatWords > 0 {
		p = append(p, copyWords(record+filterSize+int16(8*l.nativeWords), l.filterCompat, l.compatWords)...)
	}
	p = append(p, write(record, size)...)
	return append(p,
		asm.LoadMem(filter, filter, l.filterPrev, asm.DWord),
		asm.Sub.Imm(left, 1),
		asm.JNE.Imm(left, 0, "next"),

		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	)
}

// Read returns the state of one thread, by its id in the caller's PID
// namespace.
func (r *Reader) Read(tid int) (*State, error) {
	raw, err := r.iterate(tid)
	if err != nil {
		return nil, fmt.Errorf("live: thread %d: %w", tid, err)
	}
	s, err := r.decode(raw)
	if err != nil {
		return nil, fmt.Errorf("live: thread %d: %w", tid, err)
	}
	return s, nil
}

// iterate runs the BPF program on one thread.
func (r *Reader) iterate(tid int) ([]byte, error) {
	// Package link of cilium/ebpf makes iterators over maps only; these are
	// the structs of <linux/bpf.h>.
	info := struct{ tid, pid, pidfd, _ uint32 }{tid: uint32(tid)}
	link, err := bpfCall(unix.BPF_LINK_CREATE, &struct {
		program, target, attach, flags uint32
		info                           unsafe.Pointer
		size, _                        uint32
	}{
		program: uint32(r.program.FD()), attach: uint32(ebpf.AttachTraceIter),
		info: unsafe.Pointer(&info), size: uint32(unsafe.Sizeof(info)),
	})
	if err != nil {
		return nil, fmt.Errorf("attach iterator: %w", permission(err, bpfCapabilities))
	}
	defer link.Close()
	iter, err := bpfCall(unix.BPF_ITER_CREATE, &struct{ link, flags uint32 }{link: uint32(link.Fd())})
	runtime.KeepAlive(link)
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", permission(err, bpfCapabilities))
	}
	defer iter.Close()
	return io.ReadAll(iter)
}

// bpfCall makes a bpf(2) call that returns a file descriptor.
func bpfCall[T any](command int, attr *T) (*os.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, "bpf"), nil
}

// decode reads the records.
func (r *Reader) decode(raw []byte) (*State, error) {
	if len(raw) == 0 {
		return nil, ErrNoThread
	}
	size := filterSize + 8*(r.layout.nativeWords+r.layout.compatWords)
	if len(raw) < headSize || (len(raw)-headSize)%size != 0 {
		return nil, fmt.Errorf("the iterator wrote %d bytes", len(raw))
	}
	order := binary.NativeEndian
	s := &State{Mode: int(order.Uint32(raw)), Count: int(order.Uint32(raw[4:]))}
	for raw = raw[headSize:]; len(raw) > 0; raw = raw[size:] {
		f := Filter{
			Length:           int(order.Uint32(raw)),
			Log:              raw[4] != 0,
			WaitKillableRecv: raw[5] != 0,
			Listener:         raw[6] != 0,
			Address:          order.Uint64(raw[8:]),
		}
		words := make([]uint64, r.layout.nativeWords+r.layout.compatWords)
		for i := range words {
			words[i] = order.Uint64(raw[filterSize+8*i:])
		}
		bitmaps := [][]uint64{words[:r.layout.nativeWords], words[r.layout.nativeWords:]}
		for i, t := range r.kernel.Tables {
			if len(bitmaps[i])*64 < t.Size {
				return nil, fmt.Errorf("the kernel's table %s has %d bits, not %d", t.Name, len(bitmaps[i])*64, t.Size)
			}
			f.Cache.Tables = append(f.Cache.Tables, precompute.CacheTable{KernelTable: t, Allowed: bitmaps[i]})
		}
		s.Filters = append(s.Filters, f)
	}
	slices.Reverse(s.Filters)
	return s, nil
}
