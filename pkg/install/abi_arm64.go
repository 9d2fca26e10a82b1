//go:build linux

package install

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Byte offsets into struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h).
const (
	x8At         = 8 * 8
	spAt, pcAt   = 31 * 8, 32 * 8
	userRegsSize = 34 * 8
)

// ntARMSystemCall selects the number of the call that a thread is in
// (NT_ARM_SYSTEM_CALL).
const ntARMSystemCall = 0x404

// The 32-bit ABI of arm (a register set of 18 words) has no entry: its
// programs get their filter as all others by suspending; ModeExec refuses
// them.
var abis = []abi{
	{
		name:        "aarch64",
		size:        userRegsSize,
		instruction: []byte{0x01, 0x00, 0x00, 0xd4}, // svc #0
		word:        8,
		numbers: callNumbers{
			mmap: unix.SYS_MMAP, munmap: unix.SYS_MUNMAP, close: unix.SYS_CLOSE, seccomp: unix.SYS_SECCOMP, exitGroup: unix.SYS_EXIT_GROUP,
		},
		pc:     func(r *registers) uint64 { return binary.LittleEndian.Uint64(r.raw[pcAt:]) },
		sp:     func(r *registers) uint64 { return binary.LittleEndian.Uint64(r.raw[spAt:]) },
		result: func(r *registers) int64 { return int64(binary.LittleEndian.Uint64(r.raw[0:])) },
		// do_signal (arch/arm64/kernel/signal.c) decides on restarts before
		// the tracer sees the stop: the pc is back at the instruction, and x0
		// what it was. If it is still there afterwards, a call that goes on by
		// restart_syscall gets that number in x8; a pc that the tracer has
		// changed it keeps off. So nothing more is needed on the way in, and on
		// the way out the call begins anew. A signal that came in between is
		// handled as if it had come just before the call.
		elsewhere: true,
		prepare: func(r *registers, pc, number uint64, args *[6]uint64) {
			for i := range args {
				binary.LittleEndian.PutUint64(r.raw[8*i:], args[i])
			}
			binary.LittleEndian.PutUint64(r.raw[x8At:], number)
			binary.LittleEndian.PutUint64(r.raw[pcAt:], pc)
		},
		// On the way out the injected call's number must be forgotten, or
		// do_signal takes the thread's own x0 for that call's result.
		resumed: func(tid int) error {
			return setRegisterSet(tid, ntARMSystemCall, []byte{0xff, 0xff, 0xff, 0xff})
		},
	},
}
