package precompute

import (
	"math/bits"

	"seccomp-hook/pkg/bpf"
)

// arithmetic executes A = A op k and reports whether the result can be told for
// the whole range, or for the part of it that p is left with.
func (e *emulator) arithmetic(p path, code uint16, k uint32) (path, bool) {
	a := p.settle(p.a)
	switch a.kind {
	case unknown:
	case known:
		a = constant(calculate(code, a.n, k))
	case number:
		first, last := p.lo+a.n, p.hi+a.n
		op := code & bpf.OpMask
		if op == bpf.SUB && code != bpf.ALU|bpf.NEG {
			op, k = bpf.ADD, -k
		}
		switch {
		case code == bpf.ALU|bpf.NEG:
			return p, false
		case op == bpf.AND:
			k &^= a.low()
			varying := varyingBits(first, last)
			switch zeros := uint8(bits.TrailingZeros32(k & varying)); {
			case k&varying == 0:
				a = constant(first & k)
			case isTop(k, varying):
				a = value{kind: number, shift: zeros, n: a.n - first&^varying&^k}
			default:
				return e.halve(p, k, first, last)
			}
		case op == bpf.ADD && k&a.low() == 0:
			if wrap := -(a.n + k); p.lo < wrap && wrap <= p.hi {
				// From number wrap on, the sum starts again at 0.
				e.push(p, numbers{wrap, p.hi}, p.pc)
				p.hi = wrap - 1
				return p, true
			}
			a.n += k
		default:
			return p, false
		}
	}
	p.a = a
	p.pc++
	return p, true
}

// calculate is ALU for two known operands; k is not 0 where code divides.
func calculate(code uint16, a, k uint32) uint32 {
	switch code & bpf.OpMask {
	case bpf.ADD:
		return a + k
	case bpf.SUB:
		return a - k
	case bpf.MUL:
		return a * k
	case bpf.DIV:
		return a / k
	case bpf.AND:
		return a & k
	case bpf.OR:
		return a | k
	case bpf.XOR:
		return a ^ k
	case bpf.LSH:
		return a << (k & 31)
	case bpf.RSH:
		return a >> (k & 31)
	default: // NEG
		return -a
	}
}

// varyingBits is the mask of the low bits in which the values from first to
// last differ; they agree in all bits above.
func varyingBits(first, last uint32) uint32 { return 1<<bits.Len32(first^last) - 1 }

// isTop reports whether k has, of the low bits varying, exactly the upper ones:
// then it keeps the order of values that agree in the bits above.
func isTop(k, varying uint32) bool {
	k &= varying
	return k != 0 && k|(1<<bits.TrailingZeros32(k)-1) == varying
}

// halve cuts the range of p, in which A has the values first to last, where the
// highest differing bit of A changes; both halves execute the same instruction
// again. It reports false where it would take too many cuts until k, the
// instruction's mask, tells nothing apart anymore.
func (e *emulator) halve(p path, k, first, last uint32) (path, bool) {
	varying := varyingBits(first, last)
	pieces := 1
	for v := varying; k&v != 0 && !isTop(k, v); v >>= 1 {
		if pieces *= 2; pieces > maxPieces {
			return p, false
		}
	}
	middle := last &^ (varying >> 1)
	e.push(p, numbers{p.lo + (middle - first), p.hi}, p.pc)
	p.hi = p.lo + (middle - first) - 1
	return p, true
}
