//go:build integration

package integration

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// The code that puppets run: a system call by each of the two entries that
// x86_64 has, and a breakpoint that brings the tracer back.
var stub = []byte{
	0x0f, 0x05, 0xcc, // syscall; int3
	0xcd, 0x80, 0xcc, // int $0x80; int3
}

const callSize = 2

// numberMask is what the kernel keeps of a number.
const numberMask = 0xffffffff

const byteOrder = bpf.Little

var (
	nativeEntry = entry{arch: 0xc000003e, start: 0}
	int80       = entry{arch: 0x40000003, start: 3}

	// kernelTokens are the architectures of the kernel's two tables.
	kernelTokens = [2]uint32{nativeEntry.arch, int80.arch}
)

func programCounter(r *unix.PtraceRegs) uint64 { return r.Rip }

// prepareCall sets registers to where a call is about to be made.
func prepareCall(r *unix.PtraceRegs, stub uint64, e entry, nr uint32, args [6]uint64) {
	r.Rip = stub + e.start
	r.Rax, r.Orig_rax = uint64(nr), ^uint64(0) // no call to restart
	if e == nativeEntry {
		r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = args[0], args[1], args[2], args[3], args[4], args[5]
	} else {
		r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.Rbp = args[0], args[1], args[2], args[3], args[4], args[5]
	}
}

// cloneArgs are clone(2)'s.
func cloneArgs(flags uint64) [6]uint64 { return [6]uint64{flags} }

// mmap makes p call mmap(2).
func (p *puppet) mmap(args ...uint64) int64 { return p.call(unix.SYS_MMAP, args...) }

// returned is what a call has returned.
func returned(r *unix.PtraceRegs) int64 { return int64(r.Rax) }

// rolledBack is what returned says of a call that SIGSYS has come in the place of:
// the registers are as before the call.
func rolledBack(d *bpf.Data) int64 { return int64(d.Nr) }

// skipped is what returned says of a call that is left out.
func skipped(*bpf.Data) int64 { return -int64(unix.ENOSYS) }

// Calls that do no harm whatever their arguments are: getpid, getuid, getgid,
// geteuid, getegid, getppid, gettid. That they succeed tells ALLOW and LOG from
// what makes a call fail with ENOSYS.
var harmless = map[uint32][]uint32{
	nativeEntry.arch: {39, 102, 104, 107, 108, 110, 186},
	int80.arch:       {20, 199, 200, 201, 202, 64, 224},
}

// Numbers that no call has, inside the kernel's table and beyond it.
var unused = map[uint32][]uint32{
	nativeEntry.arch: {337, 338, 400, 423, 500, 511, 600, 0x3fffffff, 0x40000000 + 600, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff},
	int80.arch:       {222, 223, 251, 387, 392, 500, 511, 600, 0x40000000 + 600, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff},
}

// entries returns the ways into the kernel, as often as the tests take them.
func entries(t testing.TB) []entry {
	t.Helper()
	if !takesI386(t) {
		return []entry{nativeEntry}
	}
	return []entry{nativeEntry, nativeEntry, int80}
}

var i386 struct {
	sync.Once
	taken bool
}

// takesI386 reports whether the kernel takes i386's calls. It need not: it may be
// built or booted without them, and virtual machines may not pass them on.
func takesI386(t testing.TB) bool {
	t.Helper()
	i386.Do(func() {
		p := newPuppet(t)
		p.start(int80, 20, [6]uint64{})
		i386.taken = p.resume().StopSignal() == unix.SIGTRAP
	})
	return i386.taken
}
