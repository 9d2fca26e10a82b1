package verify

import "seccomp-hook/pkg/bpf"

// vector is a 32-bit value that depends on the call: element i is the set of
// calls for which bit i of the value is set.
type vector [32]ref

// constant returns the value k.
func constant(k uint32) vector {
	var v vector
	for i := range v {
		v[i] = ref(k >> i & 1) // none or all
	}
	return v
}

// number returns the number that v is for every call, if it is one.
func (v *vector) number() (k uint32, ok bool) {
	for i, bit := range v {
		if bit > all {
			return 0, false
		}
		k |= uint32(bit) << i
	}
	return k, true
}

// word returns the value of one word of struct seccomp_data.
func (d *forest) word(o *order, w int) vector {
	var v vector
	for i := range v {
		v[i] = d.node(o.level[w][i], none, all)
	}
	return v
}

// compare returns the calls for which "a op b" holds, op being one of the jump
// operations. The bits go from the lowest to the highest; in wordwise order
// every step then puts one node on top of the diagram so far.
func (d *forest) compare(op uint16, a, b []ref) ref {
	r := none
	switch op {
	case bpf.JEQ:
		r = all
		for i := range a {
			r = d.choose(a[i], d.and(b[i], r), d.without(r, b[i]))
		}
	case bpf.JGT, bpf.JGE:
		if op == bpf.JGE {
			r = all
		}
		for i := range a {
			r = d.choose(a[i], d.choose(b[i], r, all), d.without(r, b[i]))
		}
	case bpf.JSET:
		for i := range a {
			r = d.or(d.and(a[i], b[i]), r)
		}
	}
	return r
}

// pick returns a for the calls in s, b for the others.
func (d *forest) pick(s ref, a, b *vector) vector {
	var v vector
	for i := range v {
		v[i] = d.choose(s, a[i], b[i])
	}
	return v
}

// bitwise returns "a op b" for AND, OR and XOR.
func (d *forest) bitwise(op uint16, a, b *vector) vector {
	var v vector
	for i := range v {
		switch op {
		case bpf.AND:
			v[i] = d.and(a[i], b[i])
		case bpf.OR:
			v[i] = d.or(a[i], b[i])
		case bpf.XOR:
			v[i] = d.xor(a[i], b[i])
		}
	}
	return v
}

// add returns a + b + carry, modulo 2^32.
func (d *forest) add(a, b *vector, carry ref) vector {
	var v vector
	for i := range v {
		either := d.xor(a[i], b[i])
		v[i] = d.xor(either, carry)
		carry = d.choose(either, carry, a[i])
	}
	return v
}

// sub returns a - b, modulo 2^32: a plus the complement of b plus one.
func (d *forest) sub(a, b *vector) vector {
	var complement vector
	for i := range b {
		complement[i] = d.without(all, b[i])
	}
	return d.add(a, &complement, all)
}

// mul returns a * b, modulo 2^32, as in school: a shifted, for every bit of b.
func (d *forest) mul(a, b *vector) vector {
	sum := constant(0)
	for i := range b {
		if b[i] == none {
			continue
		}
		var partial vector
		for j := i; j < len(partial); j++ {
			partial[j] = d.and(a[j-i], b[i])
		}
		sum = d.add(&sum, &partial, none)
	}
	return sum
}

// div returns a / b where b is not zero, by long division: the remainder takes
// the bits of a one by one, and gives b where it can.
func (d *forest) div(a, b *vector) vector {
	var quotient vector
	rest := constant(0)
	for i := len(a) - 1; i >= 0; i-- {
		// No bit is lost: what rest has taken of a so far has 31-i bits.
		copy(rest[1:], rest[:31])
		rest[0] = a[i]
		fits := d.compare(bpf.JGE, rest[:], b[:])
		quotient[i] = fits
		less := d.sub(&rest, b)
		rest = d.pick(fits, &less, &rest)
	}
	return quotient
}

// shift returns a shifted left or right by b modulo 32, by one power of two
// after the other.
func (d *forest) shift(op uint16, a, b *vector) vector {
	v := *a
	for i := range 5 {
		if b[i] == none {
			continue
		}
		n := 1 << i
		var moved vector
		if op == bpf.LSH {
			copy(moved[n:], v[:])
		} else {
			copy(moved[:], v[n:])
		}
		v = d.pick(b[i], &moved, &v)
	}
	return v
}
