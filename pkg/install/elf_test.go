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
