package verify

import "seccomp-hook/pkg/bpf"

// outcomes says which calls return what. The calls of its parts do not overlap
// and are all calls together.
type outcomes struct {
	forest *forest
	parts  []outcome
	known  map[uint32]int // place in parts of each constant value
}

// outcome is one return value and the calls that get it. The value depends on
// the call where a program ends with RET A.
type outcome struct {
	calls    ref
	value    vector
	constant bool
}

func newOutcomes(d *forest) *outcomes {
	return &outcomes{forest: d, known: make(map[uint32]int)}
}

// add lets calls return value.
func (o *outcomes) add(calls ref, value *vector) {
	if calls == none {
		return
	}
	k, constant := value.number()
	if constant {
		if at, known := o.known[k]; known {
			o.parts[at].calls = o.forest.or(o.parts[at].calls, calls)
			return
		}
		o.known[k] = len(o.parts)
	}
	o.parts = append(o.parts, outcome{calls, *value, constant})
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
		for j := range b.parts {
			q := &b.parts[j]
			if p.constant && q.constant && p.value != q.value {
				continue
			}
			same := d.compare(bpf.JEQ, p.value[:], q.value[:])
			agree = d.or(agree, d.and(q.calls, same))
			if agree == p.calls {
				break
			}
		}
		differ = d.or(differ, d.without(p.calls, agree))
	}
	return differ
}
