package precompute

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"seccomp-hook/pkg/bpf"
)

// Action is the calls that get one return value, whatever their arguments are.
type Action struct {
	Return bpf.Return
	Calls  Set
}

// Actions are the constant actions of a table, the one that wins over all
// others first, ALLOW last.
type Actions []Action

// Actions returns the constant actions of the numbers from first to last, and
// the numbers that have none. Like Select it takes time for computed ranges.
func (t *Table) Actions(first, last uint32) (constant Actions, dynamic Set) {
	sets := map[bpf.Return]Set{}
	t.visit(first, last, func(lo, hi uint32, o Outcome) {
		if o.Constant {
			sets[o.Return] = sets[o.Return].extend(lo, hi)
		} else {
			dynamic = dynamic.extend(lo, hi)
		}
	})
	for r, calls := range sets {
		constant = append(constant, Action{r, calls})
	}
	slices.SortFunc(constant, func(a, b Action) int {
		return cmp.Or(cmp.Compare(int32(a.Return.Action()), int32(b.Return.Action())), cmp.Compare(a.Return, b.Return))
	})
	return constant, dynamic
}

// Of returns the calls that get r.
func (a Actions) Of(r bpf.Return) Set {
	for _, action := range a {
		if action.Return == r {
			return action.Calls
		}
	}
	return nil
}

// String returns one line for each action: "ERRNO(1) 135,165".
func (a Actions) String() string {
	var b strings.Builder
	for _, action := range a {
		fmt.Fprintf(&b, "%v %v\n", action.Return, action.Calls)
	}
	return b.String()
}
