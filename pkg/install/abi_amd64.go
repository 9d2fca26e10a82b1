//go:build linux

package install

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Byte offsets into struct user_regs_struct (arch/x86/include/asm/user_64.h)
// and struct user_regs_struct32 (user32.h).
const (
	r10At, r9At, r8At, raxAt     = 7 * 8, 8 * 8, 9 * 8, 10 * 8
	rdxAt, rsiAt, rdiAt          = 12 * 8, 13 * 8, 14 * 8
	origRaxAt, ripAt             = 15 * 8, 16 * 8
	ebxAt, ecxAt, edxAt          = 0 * 4, 1 * 4, 2 * 4
	esiAt, ediAt, ebpAt, eaxAt   = 3 * 4, 4 * 4, 5 * 4, 6 * 4
	origEaxAt, eipAt             = 11 * 4, 12 * 4
	rspAt, espAt                 = 19 * 8, 15 * 4
	userRegs64Size, userRegs32Sz = 27 * 8, 17 * 4
)

var abis = []abi{
	{
		name:        "x86_64",
		size:        userRegs64Size,
		instruction: []byte{0x0f, 0x05}, // syscall
		word:        8,
		numbers: callNumbers{
			mmap: unix.SYS_MMAP, munmap: unix.SYS_MUNMAP, close: unix.SYS_CLOSE, seccomp: unix.SYS_SECCOMP, exitGroup: unix.SYS_EXIT_GROUP,
		},
		pc:     func(r *registers) uint64 { return binary.LittleEndian.Uint64(r.raw[ripAt:]) },
		sp:     func(r *registers) uint64 { return binary.LittleEndian.Uint64(r.raw[rspAt:]) },
		result: func(r *registers) int64 { return int64(binary.LittleEndian.Uint64(r.raw[raxAt:])) },
		prepare: func(r *registers, pc, number uint64, args *[6]uint64) {
			for i, at := range [...]int{rdiAt, rsiAt, rdxAt, r10At, r8At, r9At} {
				binary.LittleEndian.PutUint64(r.raw[at:], args[i])
			}
			binary.LittleEndian.PutUint64(r.raw[raxAt:], number)
			binary.LittleEndian.PutUint64(r.raw[ripAt:], pc)
			// Not in a system call: else the kernel takes a number in rax that
			// looks like -ERESTARTSYS for a call to be restarted.
			binary.LittleEndian.PutUint64(r.raw[origRaxAt:], ^uint64(0))
		},
	},
	{
		name:        "x86",
		size:        userRegs32Sz,
		instruction: []byte{0xcd, 0x80}, // int $0x80
		word:        4,
		// arch/x86/entry/syscalls/syscall_32.tbl; mmap is mmap2, whose offset
		// is in pages.
		numbers: callNumbers{mmap: 192, munmap: 91, close: 6, seccomp: 354, exitGroup: 252},
		pc:      func(r *registers) uint64 { return uint64(binary.LittleEndian.Uint32(r.raw[eipAt:])) },
		sp:      func(r *registers) uint64 { return uint64(binary.LittleEndian.Uint32(r.raw[espAt:])) },
		result:  func(r *registers) int64 { return int64(int32(binary.LittleEndian.Uint32(r.raw[eaxAt:]))) },
		prepare: func(r *registers, pc, number uint64, args *[6]uint64) {
			for i, at := range [...]int{ebxAt, ecxAt, edxAt, esiAt, ediAt, ebpAt} {
				binary.LittleEndian.PutUint32(r.raw[at:], uint32(args[i]))
			}
			binary.LittleEndian.PutUint32(r.raw[eaxAt:], uint32(number))
			binary.LittleEndian.PutUint32(r.raw[eipAt:], uint32(pc))
			binary.LittleEndian.PutUint32(r.raw[origEaxAt:], ^uint32(0))
		},
	},
}
