//go:build linux

package install

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// The smallest programs, as machine code: no start-up code, no library, so
// that the first instruction can be a call that the filter denies. Both exit
// with the errno of a call number 0 (read, restart_syscall): verdict if the
// filter was live, something else if not.
var (
	firstDenied64 = []byte{
		0x0f, 0x05, // syscall, with all registers 0
		0xf7, 0xd8, // neg %eax
		0x89, 0xc7, // mov %eax, %edi
		0xb8, 231, 0, 0, 0, // mov $exit_group, %eax
		0x0f, 0x05, // syscall
	}
	firstDenied32 = []byte{
		0xcd, 0x80, // int $0x80, with all registers 0
		0xf7, 0xd8, // neg %eax
		0x89, 0xc3, // mov %eax, %ebx
		0xb8, 252, 0, 0, 0, // mov $exit_group, %eax
		0xcd, 0x80, // int $0x80
	}
	// effectiveUser64 exits with its effective user id.
	effectiveUser64 = []byte{
		0xb8, 107, 0, 0, 0, // mov $geteuid, %eax
		0x0f, 0x05, // syscall
		0x89, 0xc7, // mov %eax, %edi
		0xb8, 231, 0, 0, 0, // mov $exit_group, %eax
		0x0f, 0x05, // syscall
	}
)

// enter64 enters the user namespace of descriptor 3, makes the current directory its
// root, if it has an argument, and executes "program" there. It exits with the errno
// of what fails.
var enter64 = []byte{
	0xbf, 3, 0, 0, 0, // mov $3, %edi
	0xbe, 0, 0, 0, 0x10, // mov $CLONE_NEWUSER, %esi
	0xb8, 0x34, 1, 0, 0, // mov $setns, %eax
	0x0f, 0x05, // syscall
	0x85, 0xc0, // test %eax, %eax
	0x75, 45, // jnz fail
	0x83, 0x3c, 0x24, 2, // cmpl $2, (%rsp)
	0x75, 18, // jne execute
	0x48, 0x8d, 0x3d, 51, 0, 0, 0, // lea dot(%rip), %rdi
	0xb8, 161, 0, 0, 0, // mov $chroot, %eax
	0x0f, 0x05, // syscall
	0x85, 0xc0, // test %eax, %eax
	0x75, 21, // jnz fail
	0x48, 0x8d, 0x3d, 25, 0, 0, 0, // execute: lea program(%rip), %rdi
	0x48, 0x8d, 0x74, 0x24, 8, // lea 8(%rsp), %rsi
	0x31, 0xd2, // xor %edx, %edx
	0xb8, 59, 0, 0, 0, // mov $execve, %eax
	0x0f, 0x05, // syscall
	0xf7, 0xd8, // fail: neg %eax
	0x89, 0xc7, // mov %eax, %edi
	0xb8, 231, 0, 0, 0, // mov $exit_group, %eax
	0x0f, 0x05, // syscall
	'p', 'r', 'o', 'g', 'r', 'a', 'm', 0,
	'.', 0,
}

// strayCall64 makes the denied call from its text, then getpid from a page that
// it maps for it, and exits with the errno of the former.
var strayCall64 = []byte{
	0xb8, denied & 0xff, 0, 0, 0, // mov $denied, %eax
	0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, // mov $-1, %rdi
	0x0f, 0x05, // syscall
	0xf7, 0xd8, // neg %eax
	0x41, 0x89, 0xc4, // mov %eax, %r12d
	0xb8, 9, 0, 0, 0, // mov $mmap, %eax
	0x31, 0xff, // xor %edi, %edi
	0xbe, 0, 0x10, 0, 0, // mov $4096, %esi
	0xba, 7, 0, 0, 0, // mov $PROT_READ|PROT_WRITE|PROT_EXEC, %edx
	0x41, 0xba, 0x22, 0, 0, 0, // mov $MAP_PRIVATE|MAP_ANONYMOUS, %r10d
	0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, // mov $-1, %r8
	0x45, 0x31, 0xc9, // xor %r9d, %r9d
	0x0f, 0x05, // syscall
	0x48, 0xb9, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3, // movabs $"mov $getpid, %eax; syscall; ret", %rcx
	0x48, 0x89, 0x08, // mov %rcx, (%rax)
	0xff, 0xd0, // call *%rax
	0x44, 0x89, 0xe7, // mov %r12d, %edi
	0xb8, 231, 0, 0, 0, // mov $exit_group, %eax
	0x0f, 0x05, // syscall
}

const loadAddress = 0x10000

// elf64 wraps code into a static x86_64 executable.
func elf64(code []byte) []byte {
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Entry: loadAddress + 64 + 56,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] =
		byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	size := uint64(64 + 56 + len(code))
	return assemble(header, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: loadAddress, Paddr: loadAddress, Filesz: size, Memsz: size, Align: 0x1000,
	}, code)
}

// elf32 wraps code into a static i386 executable.
func elf32(code []byte) []byte {
	header := elf.Header32{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: uint32(elf.EV_CURRENT),
		Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1, Entry: loadAddress + 52 + 32,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] =
		byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	size := uint32(52 + 32 + len(code))
	return assemble(header, elf.Prog32{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: loadAddress, Paddr: loadAddress, Filesz: size, Memsz: size, Align: 0x1000,
	}, code)
}

func assemble(header, segment any, code []byte) []byte {
	var b bytes.Buffer
	for _, part := range []any{header, segment, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// executable writes a program to a directory that every user can enter.
func executable(t *testing.T, image []byte, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, image, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}
