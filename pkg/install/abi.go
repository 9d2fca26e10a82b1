//go:build linux

package install

// registers is the general-purpose register set of a stopped thread, as
// PTRACE_GETREGSET returns it.
type registers struct {
	raw  [512]byte
	size int // bytes that the kernel filled: tells the ABI
}

// abi is all that the injector must know of a way to make system calls. The
// tables of an architecture's ABIs are in abi_amd64.go, abi_arm64.go.
type abi struct {
	name        string
	size        int    // of the register set, by which the kernel tells the ABI
	instruction []byte // the system call instruction
	word        int    // bytes of a pointer
	numbers     callNumbers
	// pc returns the program counter.
	pc func(*registers) uint64
	// sp returns the stack pointer.
	sp func(*registers) uint64
	// result returns what a system call has returned, sign-extended.
	result func(*registers) int64
	// prepare makes the thread execute the system call instruction at pc. No
	// interrupted call may be restarted by the kernel on the way there.
	prepare func(r *registers, pc uint64, number uint64, args *[6]uint64)
	// elsewhere says that no call may be injected at the program counter of an
	// interrupted call: the kernel would put restart_syscall in its place.
	elsewhere bool
	// resumed, where not nil, is called after the thread's own registers were
	// put back.
	resumed func(tid int) error
}

// callNumbers are the numbers of the calls that are injected.
type callNumbers struct {
	mmap, munmap, close, seccomp, exitGroup uint64
}

// abiOf returns the ABI that a stopped thread is in, or nil.
func abiOf(r *registers) *abi {
	for i := range abis {
		if abis[i].size == r.size {
			return &abis[i]
		}
	}
	return nil
}
