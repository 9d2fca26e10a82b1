package precomputetest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// Prober finds out what a program looks at by letting it: struct seccomp_data
// lies across a page boundary, number and architecture on a readable page, the
// instruction pointer and the arguments on a page without access.
type Prober struct {
	pages []byte
	data  unsafe.Pointer // struct seccomp_data
}

// readable is how much of struct seccomp_data is on the readable page.
const readable = bpf.OffIP

// NewProber maps the pages. Close unmaps them.
func NewProber() (*Prober, error) {
	size := os.Getpagesize()
	pages, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("precomputetest: map: %w", err)
	}
	if err := unix.Mprotect(pages[size:], unix.PROT_NONE); err != nil {
		return nil, errors.Join(fmt.Errorf("precomputetest: protect: %w", err), unix.Munmap(pages))
	}
	return &Prober{pages: pages, data: unsafe.Pointer(&pages[size-readable])}, nil
}

// Close unmaps the pages.
func (p *Prober) Close() error { return unix.Munmap(p.pages) }

// Probe runs a valid program for a call. Either it returns without a look at
// anything but number and architecture, or touched is the offset in struct
// seccomp_data of the first word that it looked at beyond them; touched is 0
// otherwise.
func (p *Prober) Probe(program bpf.Program, nr, arch uint32) (ret bpf.Return, touched uint32, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault, ok := recover().(runtime.Error)
		if fault == nil {
			return
		}
		at, hasAddress := fault.(interface{ Addr() uintptr })
		offset := uintptr(0)
		if ok && hasAddress {
			offset = at.Addr() - uintptr(p.data)
		}
		if offset < readable || offset >= bpf.SizeOf {
			panic(fault)
		}
		touched = uint32(offset)
	}()
	*(*uint32)(unsafe.Add(p.data, bpf.OffNr)) = nr
	*(*uint32)(unsafe.Add(p.data, bpf.OffArch)) = arch
	ret, err = p.run(program)
	return ret, 0, err
}

// run is an interpreter that takes opcodes apart by their fields, over p.data.
func (p *Prober) run(program bpf.Program) (bpf.Return, error) {
	var a, x uint32
	var scratch [bpf.ScratchWords]uint32
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		operand := in.K
		if in.Code&bpf.X != 0 {
			operand = x
		}
		load := func() uint32 {
			switch in.Code & bpf.ModeMask {
			case bpf.IMM:
				return in.K
			case bpf.MEM:
				return scratch[in.K]
			case bpf.LEN:
				return bpf.SizeOf
			default:
				return *(*uint32)(unsafe.Add(p.data, in.K))
			}
		}
		switch in.Code & bpf.ClassMask {
		case bpf.LD:
			a = load()
		case bpf.LDX:
			x = load()
		case bpf.ST:
			scratch[in.K] = a
		case bpf.STX:
			scratch[in.K] = x
		case bpf.MISC:
			if in.Code&0xf8 == bpf.TXA {
				a = x
			} else {
				x = a
			}
		case bpf.RET:
			if in.Code&0x18 == bpf.A {
				return bpf.Return(a), nil
			}
			return bpf.Return(in.K), nil
		case bpf.JMP:
			if in.Code&bpf.OpMask == bpf.JA {
				pc += int(in.K)
				continue
			}
			taken := map[uint16]bool{bpf.JEQ: a == operand, bpf.JGT: a > operand, bpf.JGE: a >= operand, bpf.JSET: a&operand != 0}
			if taken[in.Code&bpf.OpMask] {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case bpf.ALU:
			switch in.Code & bpf.OpMask {
			case bpf.ADD:
				a += operand
			case bpf.SUB:
				a -= operand
			case bpf.MUL:
				a *= operand
			case bpf.DIV:
				if operand == 0 {
					return bpf.RetKillThread, nil
				}
				a /= operand
			case bpf.OR:
				a |= operand
			case bpf.AND:
				a &= operand
			case bpf.LSH:
				a <<= operand % 32
			case bpf.RSH:
				a >>= operand % 32
			case bpf.NEG:
				a = -a
			case bpf.XOR:
				a ^= operand
			}
		}
	}
	return 0, errors.New("precomputetest: program has no end")
}
