//go:build linux

package watch

import (
	"cmp"
	"fmt"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// Counts are the calls that were made while a Watcher counted.
type Counts struct {
	// Calls are ordered by architecture and number.
	Calls []Count
	// Lost is what is missing in here.
	Lost Lost
}

// Count is how often one call was made.
type Count struct {
	Call
	// Cached, Ran, Unfiltered and Other are calls that were executed: served by
	// the kernel's cache; allowed by the programs, which took Instructions for
	// them; made by tasks without a filter, and by tasks with other filters. Where
	// the end of calls is all that is seen, the last ones may have been refused.
	Cached, Ran, Instructions, Unfiltered, Other uint64
	// Refused are calls that were not executed because of other filters, or
	// where nothing is judged.
	Refused uint64
	// Verdicts are those that are not plainly ALLOW. The executed ones are among
	// Ran.
	Verdicts []Verdict
}

// Verdict is how often a call got one verdict.
type Verdict struct {
	Return       bpf.Return
	Executed     bool // it was executed all the same: LOG; TRACE and USER_NOTIF, where tracer or agent let it
	Count        uint64
	Instructions uint64
}

// Lost counts what there was no room for, or no time.
type Lost struct {
	Counts    uint64 // calls that are in no count
	Events    uint64 // denied calls that Denied has not told
	Processes uint64 // processes whose calls were not seen
}

// Executed is how many of the calls were executed.
func (c *Count) Executed() uint64 { return c.Cached + c.Ran + c.Unfiltered + c.Other }

// Denied is how many were not.
func (c *Count) Denied() uint64 {
	n := c.Refused
	for _, v := range c.Verdicts {
		if !v.Executed {
			n += v.Count
		}
	}
	return n
}

// Total is how many calls there were.
func (c *Count) Total() uint64 { return c.Executed() + c.Denied() }

// Steps is how many instructions the programs took for the calls.
func (c *Count) Steps() uint64 {
	n := c.Instructions
	for _, v := range c.Verdicts {
		if !v.Executed {
			n += v.Instructions
		}
	}
	return n
}

// counter is what the kernel keeps of a call, on one CPU.
type counter struct {
	Cached, Ran, Instructions, Unfiltered, Other, Refused uint64
	Verdict, Denied, Steps                                uint64
}

// Read returns the counts so far.
func (w *Watcher) Read() (*Counts, error) {
	counts := map[Call]*Count{}
	get := func(c Call) *Count {
		if counts[c] == nil {
			counts[c] = &Count{Call: c}
		}
		return counts[c]
	}
	verdict := func(c *Count, v Verdict) {
		for i := range c.Verdicts {
			if is := &c.Verdicts[i]; is.Return == v.Return && is.Executed == v.Executed {
				is.Count += v.Count
				is.Instructions += v.Instructions
				return
			}
		}
		c.Verdicts = append(c.Verdicts, v)
	}
	add := func(c Call, one counter) {
		if one == (counter{}) {
			return
		}
		n := get(c)
		n.Cached += one.Cached
		n.Ran += one.Ran
		n.Instructions += one.Instructions
		n.Unfiltered += one.Unfiltered
		n.Other += one.Other
		n.Refused += one.Refused
		if one.Denied > 0 {
			verdict(n, Verdict{Return: bpf.Return(uint32(one.Verdict)), Count: one.Denied, Instructions: one.Steps})
		}
	}
	var cpu uint32
	var table [slots]counter
	for all := w.maps.counters.Iterate(); all.Next(&cpu, &table); {
		for slot := range table {
			add(w.call(uint32(slot)), table[slot])
		}
	}
	var strange struct{ Nr, Compat uint32 }
	var values []counter
	for all := w.maps.strange.Iterate(); all.Next(&strange, &values); {
		for _, one := range values {
			add(Call{w.token(strange.Compat), strange.Nr}, one)
		}
	}
	var key struct{ Nr, Compat, Verdict, Executed uint32 }
	var tallies [][2]uint64
	all := w.maps.tallies.Iterate()
	for all.Next(&key, &tallies) {
		v := Verdict{Return: bpf.Return(key.Verdict), Executed: key.Executed != 0}
		for _, one := range tallies {
			v.Count += one[0]
			v.Instructions += one[1]
		}
		verdict(get(Call{w.token(key.Compat), key.Nr}), v)
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("watch: read verdicts: %w", err)
	}
	out := &Counts{}
	for _, c := range counts {
		slices.SortFunc(c.Verdicts, func(a, b Verdict) int { return cmp.Compare(a.Return, b.Return) })
		out.Calls = append(out.Calls, *c)
	}
	native := func(c Call) int {
		if c.Token == w.abi.native {
			return 0
		}
		return 1
	}
	slices.SortFunc(out.Calls, func(a, b Count) int {
		return cmp.Or(cmp.Compare(native(a.Call), native(b.Call)), cmp.Compare(a.Nr, b.Nr))
	})
	var err error
	out.Lost, err = w.lost()
	return out, err
}

func (w *Watcher) token(compat uint32) uint32 {
	if compat != 0 {
		return w.abi.compat
	}
	return w.abi.native
}

// lost reads what was lost.
func (w *Watcher) lost() (Lost, error) {
	var sums [lostKinds]uint64
	for kind := range sums {
		var values []uint64
		if err := w.maps.lost.Lookup(uint32(kind), &values); err != nil {
			return Lost{}, fmt.Errorf("watch: %w", err)
		}
		for _, v := range values {
			sums[kind] += v
		}
	}
	l := Lost{Counts: sums[lostCounts], Events: sums[lostEvents], Processes: sums[lostMembers]}
	for _, p := range w.programs {
		// The kernel leaves a program out where it interrupts itself.
		stats, err := p.Stats()
		if err != nil {
			return l, fmt.Errorf("watch: %w", err)
		}
		l.Counts += stats.RecursionMisses
	}
	return l, nil
}

// Arguments returns the combinations of arguments that calls had of which they
// are noted (Options.Arguments). A call that had more than there is room for is
// there with none.
func (w *Watcher) Arguments() (map[Call][][6]uint64, error) {
	list := map[Call][][6]uint64{}
	var key struct {
		Nr, Compat uint32
		Args       [6]uint64
	}
	var value uint64
	all := w.maps.arguments.Iterate()
	for all.Next(&key, &value) {
		c := Call{w.token(key.Compat), key.Nr}
		list[c] = append(list[c], key.Args)
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("watch: read arguments: %w", err)
	}
	for slot := range uint32(slots) {
		var overflown uint64
		if err := w.maps.overflown.Lookup(slot, &overflown); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		if overflown != 0 {
			list[w.call(slot)] = nil
		}
	}
	for _, args := range list {
		slices.SortFunc(args, func(a, b [6]uint64) int { return slices.Compare(a[:], b[:]) })
	}
	return list, nil
}
