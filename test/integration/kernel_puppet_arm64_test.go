//go:build integration

package integration

import (
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The code that puppets run: a system call and a breakpoint that brings the
// tracer back. A 64-bit process cannot make arm's calls.
var stub = []byte{
	0x01, 0x00, 0x00, 0xd4, // svc #0
	0x00, 0x00, 0x20, 0xd4, // brk #0
}

const callSize = 4

// numberMask is what the kernel keeps of a number.
const numberMask = 0xffffffff

const byteOrder = bpf.Little

var (
	nativeEntry = entry{arch: 0xc00000b7}

	// kernelTokens are the architectures of the kernel's two tables.
	kernelTokens = [2]uint32{nativeEntry.arch, 0x40000028}
)

func programCounter(r *unix.PtraceRegs) uint64 { return r.Pc }

// prepareCall sets registers to where a call is about to be made.
func prepareCall(r *unix.PtraceRegs, stub uint64, e entry, nr uint32, args [6]uint64) {
	r.Pc = stub + e.start
	copy(r.Regs[:], args[:])
	r.Regs[8] = uint64(nr)
}

// cloneArgs are clone(2)'s.
func cloneArgs(flags uint64) [6]uint64 { return [6]uint64{flags} }

// mmap makes p call mmap(2).
func (p *puppet) mmap(args ...uint64) int64 { return p.call(unix.SYS_MMAP, args...) }

// returned is what a call has returned.
func returned(r *unix.PtraceRegs) int64 { return int64(r.Regs[0]) }

// rolledBack is what returned says of a call that SIGSYS has come in the place of:
// the registers are as before the call.
func rolledBack(d *bpf.Data) int64 { return int64(d.Args[0]) }

// skipped is what returned says of a call that is left out: nobody has set x0, but
// for the number -1 (el0_svc_common).
func skipped(d *bpf.Data) int64 {
	if int32(d.Nr) == -1 {
		return -int64(unix.ENOSYS)
	}
	return int64(d.Args[0])
}

// Calls that do no harm whatever their arguments are: getppid, getuid, geteuid,
// getgid, getegid, gettid, getpid. That they succeed tells ALLOW and LOG from
// what makes a call fail with ENOSYS.
var harmless = map[uint32][]uint32{
	nativeEntry.arch: {172, 173, 174, 175, 176, 177, 178},
}

// Numbers that no call has, inside the kernel's table and beyond it.
var unused = map[uint32][]uint32{
	nativeEntry.arch: {244, 259, 295, 400, 423, 500, 511, 600, 0x3fffffff, 0x40000000 + 600, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff},
}

// entries returns the ways into the kernel.
func entries(testing.TB) []entry { return []entry{nativeEntry} }
