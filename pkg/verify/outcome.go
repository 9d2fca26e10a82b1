package verify

import "seccomp-hook/pkg/bpf"

// outcomes says which calls return what. The calls of its parts do not overlap
// and are all calls together.
type outcomes struct {
	forest   *forest
	parts    []outcome
	constant map[uint32]int // place in parts of each constant value
	varying  []int          // places in parts of the others
}

// outcome is one return value and the calls that get it. The value depends on
// the call where a program ends with RET A.
type outcome struct {
	calls ref
	value vector
}

func newOutcomes(d *forest) *outcomes {
	return &outcomes{forest: d, constant: make(map[uint32]int)}
}

// add lets calls return value.
func (o *outcomes) add(calls ref, value *vector) {
	if calls == none {
		return
	}
	if k, ok := value.number(); ok {
		if at, there := o.constant[k]; there {
			o.parts[at].calls = o.forest.or(o.parts[at].calls, calls)
			return
		}
		o.constant[k] = len(o.parts)
	} else {
		o.varying = append(o.varying, len(o.parts))
	}
	o.parts = append(o.parts, outcome{calls, *value})
}

// difference returns the calls for which a and b do not return the same.
//
// Where both only return constants, as nearly all filters do, and are equal,
// this compares a few refs and does no work on diagrams.
func (d *forest) difference(a, b *outcomes) ref {
	differ := none
	for i := range a.parts {
		p := &a.parts[i]
		agree := none
		match := func(q *outcome) {
			same := d.compare(bpf.JEQ, p.value[:], q.value[:])
			agree = d.or(agree, d.and(q.calls, same))
		}
		if k, constant := p.value.number(); constant {
			if at, there := b.constant[k]; there {
				match(&b.parts[at])
			}
			for _, at := range b.varying {
				match(&b.parts[at])
			}
		} else {
			for at := range b.parts {
				match(&b.parts[at])
			}
		}
		differ = d.or(differ, d.without(p.calls, agree))
	}
	return differ
}
