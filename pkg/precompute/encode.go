package precompute

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/bpf"
)

// MarshalBinary returns the table in a compact form, without its program: the
// token, the distinct outcomes, and for each range how far it starts from the
// one before and which outcome it has. All numbers are varints.
func (t *Table) MarshalBinary() ([]byte, error) {
	distinct := slices.Clone(t.outcomes)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)

	b := make([]byte, 0, 8+3*len(t.firsts)+6*len(distinct))
	b = binary.AppendUvarint(b, uint64(t.token))
	b = binary.AppendUvarint(b, uint64(len(distinct)))
	for _, o := range distinct {
		b = binary.AppendUvarint(b, uint64(o))
	}
	b = binary.AppendUvarint(b, uint64(len(t.firsts)))
	for i, first := range t.firsts {
		if i > 0 {
			b = binary.AppendUvarint(b, uint64(first-t.firsts[i-1]))
		}
		which, _ := slices.BinarySearch(distinct, t.outcomes[i])
		b = binary.AppendUvarint(b, uint64(which))
	}
	return b, nil
}

// errEncoding says that bytes are no table.
var errEncoding = errors.New("precompute: not an encoded table")

// DecodeTable reads what MarshalBinary writes of a table of p, which must be
// valid and is kept. It refuses whatever could not be a table of p, but whether
// it is the table of p is for the caller to know: it costs as much as making
// it.
func DecodeTable(b []byte, p bpf.Program) (*Table, error) {
	fail := false
	number := func(limit uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > limit || n != len(binary.AppendUvarint(nil, v)) {
			fail = true
			return 0
		}
		b = b[n:]
		return v
	}
	const all = 1<<32 - 1
	t := &Table{program: p, token: uint32(number(all))}
	distinct := make([]outcome, number(maxRanges))
	for i := range distinct {
		distinct[i] = outcome(number(1<<64 - 1))
		if fail || !distinct[i].possible(p) || i > 0 && distinct[i] <= distinct[i-1] {
			return nil, errEncoding
		}
	}
	count := number(maxRanges + 1)
	if fail || count == 0 || len(distinct) == 0 {
		return nil, errEncoding
	}
	t.firsts = make(starts, count)
	t.outcomes = make([]outcome, count)
	used := make([]bool, len(distinct))
	for i := range t.firsts {
		if i > 0 {
			first := uint64(t.firsts[i-1]) + number(all)
			if first > all || first == uint64(t.firsts[i-1]) {
				return nil, errEncoding
			}
			t.firsts[i] = uint32(first)
		}
		which := number(uint64(len(distinct) - 1))
		t.outcomes[i], used[which] = distinct[which], true
		if fail || i > 0 && t.outcomes[i] == t.outcomes[i-1] {
			return nil, errEncoding
		}
	}
	if slices.Contains(used, false) {
		return nil, errEncoding
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errEncoding, len(b))
	}
	return t, nil
}

// possible reports whether o can be an outcome of p.
func (o outcome) possible(p bpf.Program) bool {
	stop := uint16(o >> 16)
	switch o & 0xffff {
	case flagComputed:
		return o == outcomeComputed
	case flagConstant:
		return stop == noStop || int(stop) < len(p)
	case 0: // dynamic
		return o>>32 == 0 && int(stop) < len(p)
	}
	return false
}
