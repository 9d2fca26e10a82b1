package verify

import "seccomp-hook/pkg/bpf"

// value is what a register holds: the vector, or the vector divided by divisor
// where that is not 0.
//
// Divisions are put off because their diagrams are large: bit by bit they have
// to remember a remainder, that is as many nodes a level as the divisor is
// large. Programs that divide compare the quotient with a constant next, and
// for that nothing needs to be divided.
type value struct {
	vector
	divisor uint32
	unknown bool // see executor.tolerant
}

// unknown is a value of which nothing is known.
var unknown = &value{unknown: true}

// known returns the value k.
func known(k uint32) *value { return &value{vector: constant(k)} }

// number returns the number that v is for every call, if it is one.
func (v *value) number() (k uint32, ok bool) {
	if v.unknown {
		return 0, false
	}
	k, ok = v.vector.number()
	if v.divisor != 0 {
		k /= v.divisor
	}
	return k, ok
}

// bits carries out a division that was put off.
func (d *forest) bits(v *value) *vector {
	if v.divisor == 0 {
		return &v.vector
	}
	divisor := constant(v.divisor)
	quotient := d.div(&v.vector, &divisor)
	return &quotient
}

// test returns the calls for which "a op b" holds, op being one of the jump
// operations.
func (d *forest) test(op uint16, a, b *value) ref {
	k, constant := b.number()
	if a.divisor == 0 || !constant || op == bpf.JSET {
		return d.compare(op, d.bits(a)[:], d.bits(b)[:])
	}
	switch op {
	case bpf.JGE:
		return d.quotientAtLeast(a, uint64(k))
	case bpf.JGT:
		return d.quotientAtLeast(a, uint64(k)+1)
	default: // JEQ
		return d.without(d.quotientAtLeast(a, uint64(k)), d.quotientAtLeast(a, uint64(k)+1))
	}
}

// quotientAtLeast returns the calls for which v.vector / v.divisor is at least
// k: those for which v.vector is at least k * v.divisor.
func (d *forest) quotientAtLeast(v *value, k uint64) ref {
	least := k * uint64(v.divisor) // at most 2^32 * (2^32 - 1)
	if least > 0xffffffff {
		return none
	}
	bound := constant(uint32(least))
	return d.compare(bpf.JGE, v.vector[:], bound[:])
}

// alu returns "a op b"; a divisor b is not 0.
func (d *forest) alu(op uint16, a, b *value) *value {
	x := d.bits(a)
	if k, constant := b.number(); op == bpf.DIV && constant {
		return &value{vector: *x, divisor: k}
	}
	y := d.bits(b)
	switch op {
	case bpf.ADD:
		return &value{vector: d.add(x, y, none)}
	case bpf.SUB:
		return &value{vector: d.sub(x, y)}
	case bpf.NEG:
		zero := constant(0)
		return &value{vector: d.sub(&zero, x)}
	case bpf.MUL:
		return &value{vector: d.mul(x, y)}
	case bpf.DIV:
		return &value{vector: d.div(x, y)}
	case bpf.LSH, bpf.RSH:
		return &value{vector: d.shift(op, x, y)}
	default:
		return &value{vector: d.bitwise(op, x, y)}
	}
}
