package compile

import (
	"math"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// length returns about how many instructions the rules of v need one after the
// other.
func length(v *spec.Verdict) int {
	n := 0
	for i := range v.Rules {
		for _, c := range v.Rules[i].Conditions {
			for _, mask := range [...]uint32{uint32(c.Mask), uint32(c.Mask >> 32)} {
				switch mask {
				case 0:
				case math.MaxUint32:
					n += 2
				default:
					n += 3
				}
			}
		}
	}
	return n
}

// rules returns code for v, whatever A holds, that tries its rules one after
// the other: what remains where a diagram would be too large.
func (c *code) rules(e bpf.Endian, v *spec.Verdict) ref {
	next := c.ret(v.Default)
	for i := len(v.Rules) - 1; i >= 0; i-- {
		r := &v.Rules[i]
		hit := c.ret(r.Return)
		for j := len(r.Conditions) - 1; j >= 0; j-- {
			hit = c.condition(e, r.Conditions[j], hit, next)
		}
		next = hit
	}
	return next
}

// condition returns code that leads to then where cond holds, else to
// otherwise.
func (c *code) condition(e bpf.Endian, cond spec.Condition, then, otherwise ref) ref {
	offset := bpf.OffArgs + 8*uint32(cond.Arg)
	word := func(off, mask uint32, next ref) ref {
		if mask != 0xffffffff {
			next = c.mask(mask, next)
		}
		return c.load(off, next)
	}
	lowOff, highOff := e.Low(offset), e.High(offset)
	lowMask, highMask := uint32(cond.Mask), uint32(cond.Mask>>32)
	low, high := uint32(cond.Value), uint32(cond.Value>>32)
	// x < v is not x >= v, and so on: three operators remain.
	op := cond.Op
	switch op {
	case spec.NE:
		op, then, otherwise = spec.EQ, otherwise, then
	case spec.LT:
		op, then, otherwise = spec.GE, otherwise, then
	case spec.LE:
		op, then, otherwise = spec.GT, otherwise, then
	}
	if op == spec.EQ {
		next := word(lowOff, lowMask, c.jump(bpf.JEQ, low, then, otherwise))
		return word(highOff, highMask, c.jump(bpf.JEQ, high, next, otherwise))
	}
	jump := uint16(bpf.JGE)
	if op == spec.GT {
		jump = bpf.JGT
	}
	next := word(lowOff, lowMask, c.jump(jump, low, then, otherwise))
	return word(highOff, highMask, c.jump(bpf.JGT, high, then, c.jump(bpf.JEQ, high, next, otherwise)))
}
