//go:build integration

package integration

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The code that puppets run: a system call and a breakpoint that brings the
// tracer back. A 64-bit process cannot make s390's calls.
var stub = []byte{
	0x0a, 0x00, // svc 0: the number is in r1
	0x00, 0x01, // what the kernel takes for a breakpoint (S390_BREAKPOINT_U16)
}

const callSize = 2

// numberMask is what the kernel keeps of a number: the low half of int_code
// (arch/s390/include/asm/syscall.h, syscall_get_nr).
const numberMask = 0xffff

var (
	nativeEntry = entry{arch: 0x80000016}

	// kernelTokens are the architectures of the kernel's two tables.
	kernelTokens = [2]uint32{nativeEntry.arch, 0x00000016}
)

const byteOrder = bpf.Big

func programCounter(r *unix.PtraceRegs) uint64 { return r.Psw.Addr }

// prepareCall sets registers to where a call is about to be made.
func prepareCall(r *unix.PtraceRegs, stub uint64, e entry, nr uint32, args [6]uint64) {
	r.Psw.Addr = stub + e.start
	copy(r.Gprs[2:], args[:])
	r.Gprs[1] = uint64(nr)
}

// cloneArgs are clone(2)'s (CONFIG_CLONE_BACKWARDS2: the stack comes first).
func cloneArgs(flags uint64) [6]uint64 { return [6]uint64{0, flags} }

// mmap makes p call mmap(2), which takes its arguments from memory: from below the
// stack, of which a puppet uses nothing.
func (p *puppet) mmap(args ...uint64) int64 {
	p.t.Helper()
	at := p.regs.Gprs[15]&^7 - 4096
	var b []byte
	for _, a := range args {
		b = binary.NativeEndian.AppendUint64(b, a)
	}
	if _, err := unix.PtracePokeData(p.tid, uintptr(at), b); err != nil {
		p.t.Fatalf("puppet: write arguments: %v", err)
	}
	return p.call(unix.SYS_MMAP, at)
}

// returned is what a call has returned.
func returned(r *unix.PtraceRegs) int64 { return int64(r.Gprs[2]) }

// rolledBack is what returned says of a call that SIGSYS has come in the place of. The
// registers are as before the call but for r2, the first argument and the result:
// __do_syscall writes it behind the filters, over what they have restored
// (arch/s390/kernel/syscall.c, 6.1).
func rolledBack(d *bpf.Data) int64 { return skipped(d) }

// skipped is what returned says of a call that is left out.
func skipped(*bpf.Data) int64 { return -int64(unix.ENOSYS) }

// Calls that do no harm whatever their arguments are: getpid, getppid, getuid, getgid,
// geteuid, getegid, gettid. That they succeed tells ALLOW and LOG from what makes a
// call fail with ENOSYS.
var harmless = map[uint32][]uint32{
	nativeEntry.arch: {20, 64, 199, 200, 201, 202, 236},
}

// Numbers that no call has, inside the kernel's table and beyond it.
var unused = map[uint32][]uint32{
	nativeEntry.arch: {17, 44, 53, 56, 58, 59, 68, 391, 500, 511, 600, 0x7fff, 0xffff},
}

// entries returns the ways into the kernel.
func entries(testing.TB) []entry { return []entry{nativeEntry} }
