package compile

// stepIndex finds equal steps. It is a hash table of their places, because a map
// with steps for keys takes several times as long.
type stepIndex struct {
	// slots have a place and one more, or 0 where they are free. A step is in
	// the slot of its hash, or in the first free one after it. The slots are a
	// power of two, and at most half of them are in use.
	slots []ref
	used  int
}

const fewSlots = 512

func (x *stepIndex) reset() {
	if len(x.slots) < fewSlots {
		x.slots = make([]ref, fewSlots)
	}
	clear(x.slots)
	x.used = 0
}

// add returns where s is among the steps of which x is the index. If it is not,
// it is added to them.
func (x *stepIndex) add(p *[]step, s step) ref {
	at := x.find(*p, &s)
	if r := x.slots[at]; r != 0 {
		return r - 1
	}
	*p = append(*p, s)
	r := ref(len(*p) - 1)
	x.set(*p, at, r)
	return r
}

// find returns the slot of a step in p that is equal to s, or the free one for it.
func (x *stepIndex) find(p []step, s *step) int {
	mask := len(x.slots) - 1
	for at := int(s.hash()) & mask; ; at = (at + 1) & mask {
		if r := x.slots[at]; r == 0 || p[r-1] == *s {
			return at
		}
	}
}

// set puts a place in p into a free slot.
func (x *stepIndex) set(p []step, at int, r ref) {
	x.slots[at] = r + 1
	if x.used++; 2*x.used <= len(x.slots) {
		return
	}
	old := x.slots
	x.slots = make([]ref, 2*len(old))
	for _, r := range old {
		if r != 0 {
			x.slots[x.find(p, &p[r-1])] = r
		}
	}
}

// hash mixes what makes steps equal. Nothing but speed depends on it.
func (s *step) hash() uint32 {
	const prime = 0x9e3779b97f4a7c15 // 2^64 / golden ratio
	h := (uint64(s.k)<<32 | uint64(uint32(s.then))) * prime
	h = (h ^ h>>32 ^ uint64(uint32(s.otherwise))<<16 ^ uint64(s.op)) * prime
	return uint32(h >> 32)
}
