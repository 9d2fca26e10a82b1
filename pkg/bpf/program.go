package bpf

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Program is a filter: the instructions that the kernel runs for each call.
type Program []Instruction

// instructionSize is sizeof(struct sock_filter).
const instructionSize = 8

// MarshalBinary returns the program as an array of little-endian struct
// sock_filter, the form that `compile --format raw` writes and that digests
// are taken of, whatever the machine.
func (p Program) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, len(p)*instructionSize)
	for _, in := range p {
		b = binary.LittleEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.LittleEndian.AppendUint32(b, in.K)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary writes. It does not validate the
// program.
func (p *Program) UnmarshalBinary(b []byte) error {
	if len(b)%instructionSize != 0 {
		return fmt.Errorf("bpf: %d bytes are not a whole number of %d-byte instructions", len(b), instructionSize)
	}
	if n := len(b) / instructionSize; n > MaxInstructions {
		return &LengthError{Length: n}
	}
	q := make(Program, len(b)/instructionSize)
	for i := range q {
		at := b[i*instructionSize:]
		q[i] = Instruction{
			Code: binary.LittleEndian.Uint16(at),
			Jt:   at[2],
			Jf:   at[3],
			K:    binary.LittleEndian.Uint32(at[4:]),
		}
	}
	*p = q
	return nil
}

// Digest returns the SHA-256 of the program's raw form.
func (p Program) Digest() [sha256.Size]byte {
	b, _ := p.MarshalBinary() // never fails
	return sha256.Sum256(b)
}
