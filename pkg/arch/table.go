package arch

import (
	"iter"
	"slices"
	"sync"
)

//go:generate go run ./internal/gen -o tables.go

// Call is a system call by name, whatever number it has where: an index into
// the names that any architecture has, in alphabetical order. Who needs the
// numbers of one name on several architectures finds the Call once.
type Call uint16

// table is the system calls of one architecture. All tables are constant data,
// so a program that imports this package starts no slower.
type table struct {
	numbers [CallCount]uint32 // by Call, with absent where there is none
	order   []Call            // by ascending number
}

// absent is no call's number: -1 is what a tracer writes to skip a call.
const absent = ^uint32(0)

// FindCall returns the call of that name, false where no architecture has one.
func FindCall(name string) (Call, bool) {
	t := byName()
	if len(name) > t.longest {
		return 0, false
	}
	for at := hash(name); ; at++ {
		switch c := t.slots[at%nameSlots]; {
		case c == CallCount:
			return 0, false
		case c.Name() == name:
			return c, true
		}
	}
}

// nameSlots is about four times as many as there are names.
const nameSlots = 2048

// nameTable finds calls by name: each is in the slot of its hash, or behind it in
// the first that was free. In free ones is CallCount.
type nameTable struct {
	slots   [nameSlots]Call
	longest int // name
}

// byName is made when it is first needed, which takes about as long as a
// hundred binary searches.
var byName = sync.OnceValue(func() *nameTable {
	t := new(nameTable)
	for i := range t.slots {
		t.slots[i] = CallCount
	}
	for c := range Call(CallCount) {
		name := c.Name()
		at := hash(name)
		for t.slots[at%nameSlots] != CallCount {
			at++
		}
		t.slots[at%nameSlots] = c
		t.longest = max(t.longest, len(name))
	}
	return t
})

// hash is FNV-1a.
func hash(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h ^ h>>16
}

// Name returns the call's name.
func (c Call) Name() string { return callNames[nameAt[c]:nameAt[c+1]] }

// NumberOf returns the number of call c on a, false where a does not have it.
func (a *Arch) NumberOf(c Call) (uint32, bool) {
	nr := a.table.numbers[c]
	return nr, nr != absent
}

// Number returns the number of the call of that name on a, NumberBase
// included.
func (a *Arch) Number(name string) (uint32, bool) {
	c, ok := FindCall(name)
	if !ok {
		return 0, false
	}
	return a.NumberOf(c)
}

// CallName returns the name of call number nr on a, "" where a has no such
// call.
func (a *Arch) CallName(nr uint32) string {
	t := a.table
	i, ok := slices.BinarySearchFunc(t.order, nr, func(c Call, nr uint32) int {
		switch have := t.numbers[c]; {
		case have < nr:
			return -1
		case have > nr:
			return 1
		}
		return 0
	})
	if !ok {
		return ""
	}
	return t.order[i].Name()
}

// Max returns the highest call number of a.
func (a *Arch) Max() uint32 {
	t := a.table
	return t.numbers[t.order[len(t.order)-1]]
}

// Calls yields every call of a with its number, by ascending number.
func (a *Arch) Calls() iter.Seq2[uint32, Call] {
	return func(yield func(uint32, Call) bool) {
		for _, c := range a.table.order {
			if !yield(a.table.numbers[c], c) {
				return
			}
		}
	}
}
