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
	// them; made by tasks without a filter, and by tasks with other filters.
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

// Read returns the counts so far.
func (w *Watcher) Read() (*Counts, error) {
	counts := map[Call]*Count{}
	get := func(c Call) *Count {
		if counts[c] == nil {
			counts[c] = &Count{Call: c}
		}
		return counts[c]
	}
	add := func(c Call, perCPU [][6]uint64) {
		var sum [6]uint64
		for _, one := range perCPU {
			for i := range one {
				sum[i] += one[i]
			}
		}
		if sum == [6]uint64{} {
			return
		}
		n := get(c)
		n.Cached, n.Ran, n.Instructions, n.Unfiltered, n.Other, n.Refused = sum[0], sum[1], sum[2], sum[3], sum[4], sum[5]
	}
	for slot := range uint32(slots) {
		var values [][6]uint64
		if err := w.maps.counters.Lookup(slot, &values); err != nil {
			return nil, fmt.Errorf("watch: read counters: %w", err)
		}
		add(w.call(slot), values)
	}
	var strange struct{ Nr, Compat uint32 }
	var values [][6]uint64
	for all := w.maps.strange.Iterate(); all.Next(&strange, &values); {
		add(Call{w.token(strange.Compat), strange.Nr}, values)
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
		c := get(Call{w.token(key.Compat), key.Nr})
		c.Verdicts = append(c.Verdicts, v)
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
		var class uint32
		if err := w.maps.classes.Lookup(slot, &class); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		if class&classOverflow != 0 {
			list[w.call(slot)] = nil
		}
	}
	for _, args := range list {
		slices.SortFunc(args, func(a, b [6]uint64) int { return slices.Compare(a[:], b[:]) })
	}
	return list, nil
}
