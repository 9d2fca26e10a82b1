package precompute

import (
	"math"

	"seccomp-hook/pkg/bpf"
)

// chainTable has the constant verdicts of a chain for one architecture.
type chainTable struct {
	token    uint32
	firsts   starts
	which    []uint16 // the verdict of each range, an index in verdicts
	verdicts []verdict
	// direct has the verdicts of the numbers from 0 and, in its second half,
	// from directBase, without a search.
	direct [2 * directSize]uint16
}

const (
	directSize = 512
	directBase = 0x40000000 // where x32 has its calls; elsewhere as good as any
)

// askPrograms is the index of the one verdict that is not constant.
const askPrograms = 0

// verdict is what a chain does with a call, where that is constant.
type verdict struct {
	ret      bpf.Return
	filter   int16 // index of the deciding filter, or -1
	constant bool
}

// search returns the index in verdicts of call number nr.
func (t *chainTable) search(nr uint32) uint16 {
	if nr-directBase < directSize {
		return t.direct[directSize+nr-directBase]
	}
	return t.which[t.firsts.find(nr)]
}

// newChainTable returns the table of a chain in which filter number index, with
// table t, comes before those of older, nil for none.
func newChainTable(t *Table, index int, older *chainTable) chainTable {
	out := chainTable{token: t.token, verdicts: []verdict{{}}}
	known := map[verdict]uint16{{}: askPrograms}
	for i, j, lo := 0, 0, uint64(0); lo <= math.MaxUint32; {
		v := verdictOf(t.outcomes[i], index)
		hi := uint64(t.firsts.last(i))
		if older != nil {
			v = v.over(older.verdicts[older.which[j]])
			hi = min(hi, uint64(older.firsts.last(j)))
		}
		which, have := known[v]
		if !have && len(out.verdicts) <= math.MaxUint16 { // what is one too many is left to the programs
			which = uint16(len(out.verdicts))
			known[v] = which
			out.verdicts = append(out.verdicts, v)
		}
		if n := len(out.which); n == 0 || out.which[n-1] != which {
			out.firsts = append(out.firsts, uint32(lo))
			out.which = append(out.which, which)
		}
		out.fill(lo, hi, which)
		lo = hi + 1
		if i+1 < len(t.firsts) && uint64(t.firsts[i+1]) == lo {
			i++
		}
		if older != nil && j+1 < len(older.firsts) && uint64(older.firsts[j+1]) == lo {
			j++
		}
	}
	return out
}

// fill enters a range into direct.
func (t *chainTable) fill(lo, hi uint64, which uint16) {
	for half, base := range []uint64{0, directBase} {
		for nr := max(lo, base); nr <= min(hi, base+directSize-1); nr++ {
			t.direct[uint64(half)*directSize+nr-base] = which
		}
	}
}

// verdictOf returns what a single filter says.
func verdictOf(o outcome, index int) verdict {
	u := o.unpack()
	switch {
	case !u.Constant:
		return verdict{}
	case u.Return.Action() == bpf.RetAllow:
		return verdict{ret: bpf.RetAllow, filter: -1, constant: true}
	default:
		return verdict{ret: u.Return, filter: int16(index), constant: true}
	}
}

// over returns the verdict of a chain whose newest filter says v and whose
// others say older.
func (v verdict) over(older verdict) verdict {
	switch {
	case v.constant && v.ret.Action() == bpf.RetKillProcess:
		return v // nothing precedes it
	case !v.constant || !older.constant:
		return verdict{}
	case precedes(older.ret, v.ret):
		return older
	default:
		return v
	}
}
