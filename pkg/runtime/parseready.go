package runtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

// Ready is a ready filter, read.
type Ready struct {
	Program bpf.Program    // what is installed
	Filter  *filter.Filter // what is published
	Kernel  string         // release that it was made on
	Runtime string         // "runc", or the version of crun's file
	Seccomp []byte         // linux.seccomp
	Crun    bool           // that crun installs the program by an annotation

	key string
}

// ErrNotReady says that bytes are no ready filter of this version.
var ErrNotReady = errors.New("not a ready filter of this version")

// ParseReady reads a ready filter as ready.c does. The error wraps ErrNotReady, or
// filter.ErrDamaged.
func ParseReady(text []byte) (*Ready, error) {
	// Version 1 has six numbers, three of them sizes of texts; version 2 has another
	// text, and a 0.
	numbers, texts := 6, 3
	if readyMagic[len(readyMagic)-1] > 1 {
		numbers, texts = 8, 4
	}
	head := len(readyMagic) + 8 + 4*numbers
	if len(text) < head || string(text[:len(readyMagic)]) != readyMagic {
		return nil, ErrNotReady
	}
	if sum := binary.NativeEndian.Uint64(text[len(readyMagic):]); sum != hash(string(text[len(readyMagic)+8:])) {
		return nil, fmt.Errorf("%w: the sum does not match", ErrNotReady)
	}
	// Key, flags, instructions; annotations, those for crun, …, filter.
	sizes := make([]uint32, numbers)
	for i := range sizes {
		sizes[i] = binary.NativeEndian.Uint32(text[len(readyMagic)+8+4*i:])
	}
	rest, short := text[head:], false
	part := func(size uint64) []byte {
		if size > uint64(len(rest)) {
			short = true
			return nil
		}
		p := rest[:size]
		rest = rest[size:]
		return p
	}
	program, key := part(8*uint64(sizes[2])), string(part(uint64(sizes[0])))
	var others [][]byte
	for _, size := range sizes[3 : 3+texts] {
		others = append(others, part(uint64(size)))
	}
	if short || len(rest) > 0 {
		return nil, fmt.Errorf("%w: the parts do not fit", ErrNotReady)
	}
	crun, stored := others[1], others[texts-1]
	r := &Ready{Filter: new(filter.Filter), Crun: len(crun) > 0, key: key}
	for ; len(program) > 0; program = program[8:] {
		r.Program = append(r.Program, bpf.Instruction{
			Code: binary.NativeEndian.Uint16(program), Jt: program[2], Jf: program[3], K: binary.NativeEndian.Uint32(program[4:]),
		})
	}
	for line := range strings.Lines(key) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "kernel":
			r.Kernel = value
		case "runtime":
			r.Runtime = value
		case "seccomp":
			size, err := strconv.Atoi(value)
			if err != nil || size < 0 || size > len(key) {
				return nil, fmt.Errorf("%w: the key", ErrNotReady)
			}
			r.Seccomp = []byte(key[len(key)-size:])
		}
		if name == "seccomp" {
			break
		}
	}
	return r, r.Filter.UnmarshalBinary(stored)
}

// Name returns the name under which the store has r.
func (r *Ready) Name() string { return filter.ReadyName(hash(r.key)) }
