package bpf

import "math/bits"

// Data is one system call as a filter sees it: the kernel's struct
// seccomp_data.
type Data struct {
	Nr   uint32 // system call number; the kernel's int, as its 32 bits
	Arch uint32 // AUDIT_ARCH_* token of the calling convention
	IP   uint64 // address after the system call instruction
	Args [6]uint64
}

// Byte offsets of the words of struct seccomp_data.
const (
	OffNr   = 0
	OffArch = 4
	OffIP   = 8  // first word of the instruction pointer
	OffArgs = 16 // first word of argument 0; argument i is at OffArgs + 8*i
	SizeOf  = 64 // sizeof(struct seccomp_data)
)

// Endian is the byte order of the machine a program is for: it decides which
// of the two words of a 64-bit field is the low one.
type Endian uint8

// The two byte orders.
const (
	Little Endian = iota
	Big
)

// Low returns the byte offset of the low word of the 64-bit field at off.
func (e Endian) Low(off uint32) uint32 {
	if e == Big {
		return off + 4
	}
	return off
}

// High returns the byte offset of the high word of the 64-bit field at off.
func (e Endian) High(off uint32) uint32 {
	if e == Big {
		return off
	}
	return off + 4
}

// Words is struct seccomp_data as the sixteen 32-bit words a program can load;
// word i is at byte offset 4*i.
type Words [SizeOf / 4]uint32

// Words lays d out in memory as a machine of byte order e does.
func (d *Data) Words(e Endian) Words {
	turn := 0 // the high word comes first on big-endian machines
	if e == Big {
		turn = 32
	}
	ip := bits.RotateLeft64(d.IP, turn)
	w := Words{d.Nr, d.Arch, uint32(ip), uint32(ip >> 32)}
	for i, v := range d.Args {
		v = bits.RotateLeft64(v, turn)
		w[OffArgs/4+2*i], w[OffArgs/4+2*i+1] = uint32(v), uint32(v>>32)
	}
	return w
}
