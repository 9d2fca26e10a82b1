package compile

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// outcomes says for a comparison of two numbers where it holds: for less,
// equal and greater, one bit each. All operators are then one, and a
// comparison of 64 bits is the outcomes of the high words, with those of the
// low words where the high ones are equal.
type outcomes uint8

const (
	less outcomes = 1 << iota
	equal
	greater
)

var operators = [...]outcomes{
	spec.EQ: equal,
	spec.NE: less | greater,
	spec.LT: less,
	spec.LE: less | equal,
	spec.GT: greater,
	spec.GE: greater | equal,
}

// comparison is what is left to know of a condition: it holds where the words
// from level on, under the masks, compare with the values as holds says.
type comparison struct {
	level level
	holds outcomes
	// mask and value are of the word at level, lowMask and lowValue of the
	// one after it where level is a high word.
	mask, value       uint32
	lowMask, lowValue uint32
}

// truth is whether a comparison holds, as far as it is known.
type truth uint8

const (
	never truth = iota
	always
	depends
)

func known(holds bool) truth {
	if holds {
		return always
	}
	return never
}

// comparing returns what is to be known of c, and whether all of it is known
// already.
func comparing(c spec.Condition) (comparison, truth) {
	return comparison{
		level: level(2 * c.Arg), holds: operators[c.Op],
		mask: uint32(c.Mask >> 32), value: uint32(c.Value >> 32),
		lowMask: uint32(c.Mask), lowValue: uint32(c.Value),
	}.settle()
}

// settle drops a word that no argument can change.
func (c comparison) settle() (comparison, truth) {
	switch {
	case c.mask != 0:
		return c, depends
	case c.value != 0:
		return c, known(c.holds&less != 0)
	}
	return c.tie()
}

// tie returns what is left of c where its word is equal to the value.
func (c comparison) tie() (comparison, truth) {
	if c.level%2 == 1 {
		return c, known(c.holds&equal != 0)
	}
	return comparison{level: c.level + 1, holds: c.holds, mask: c.lowMask, value: c.lowValue}.settle()
}

// term is what is left of a rule: it applies where all comparisons hold.
type term struct {
	comparisons []comparison
	result      bpf.Return
}

// reader turns rules into diagrams.
type reader struct {
	diagrams *diagrams
	known    map[string]function
	key      []byte
	work     int
	limit    int // of work, for the verdict that is read
	// thorough says to spare no work: the program has been too large.
	thorough bool
	verdicts map[verdictKey]read
}

// The bounds of the comparisons that are looked at. For one call: workOfOne, and
// workOfEach more for each comparison in its rules, up to maxWork, and all of that
// where no work is spared. For one policy: workOfAll. Rules that exceed them, for
// which a diagram may well be exponential, are compiled one after another instead.
const (
	workOfOne  = 2000
	workOfEach = 32
	maxWork    = 200_000
	workOfAll  = 2_000_000
)

// maxComparisons bounds the comparisons in the rules of one call, those left out
// that others have made unnecessary. A list of the rules has an instruction for
// each at least.
const maxComparisons = 2 * bpf.MaxInstructions

// verdictKey finds verdicts that may be equal, and read is what one came to. A
// rule of a profile speaks of many calls, and their conditions are then the same
// values in memory.
type (
	verdictKey struct {
		first     *spec.Condition
		n         int
		otherwise bpf.Return
	}
	read struct {
		rules []spec.Rule
		terms []term
		to    function
		err   error
	}
)

// sameRules reports whether two lists of rules say the same, with the same
// conditions in memory.
func sameRules(a, b []spec.Rule) bool {
	return slices.EqualFunc(a, b, func(a, b spec.Rule) bool {
		return a.Return == b.Return && len(a.Conditions) == len(b.Conditions) &&
			(len(a.Conditions) == 0 || &a.Conditions[0] == &b.Conditions[0])
	})
}

// maxConditions bounds the conditions of one rule in a diagram. Those of a
// profile have six at most: one for each argument.
const maxConditions = 64

var errTooMuchWork = errors.New("compile: too many combinations of conditions")

func newReader(d *diagrams) *reader {
	return &reader{diagrams: d, known: make(map[string]function), verdicts: make(map[verdictKey]read)}
}

func (r *reader) reset() {
	r.diagrams.reset()
	clear(r.known)
	clear(r.verdicts)
	r.work = 0
}

// verdict returns the function that v is, and what of its rules can decide. The
// error is errTooMuchWork, or a *TooLargeError where not even a list of them can
// be a program.
func (r *reader) verdict(v *spec.Verdict) (function, []term, error) {
	if len(v.Rules) == 0 {
		return r.diagrams.result(v.Default), nil, nil
	}
	if first := &v.Rules[0]; len(first.Conditions) == 0 {
		return r.diagrams.result(first.Return), nil, nil
	}
	key := verdictKey{&v.Rules[0].Conditions[0], len(v.Rules), v.Default}
	if before, known := r.verdicts[key]; known && sameRules(before.rules, v.Rules) {
		return before.to, before.terms, before.err
	}
	terms, err := r.terms(v)
	var to function
	if err == nil {
		to, err = r.function(terms, v.Default)
	}
	r.verdicts[key] = read{v.Rules, terms, to, err}
	return to, terms, err
}

// terms returns what of v's rules can decide.
func (r *reader) terms(v *spec.Verdict) ([]term, error) {
	terms := make([]term, 0, min(len(v.Rules), maxComparisons))
	var seen map[string]bool
	if len(v.Rules) > 1 {
		seen = make(map[string]bool)
	}
	comparisons := 0
	for i := range v.Rules {
		t, possible := newTerm(&v.Rules[i])
		if !possible || seen != nil && r.behind(&t, seen) {
			continue
		}
		if comparisons += len(t.comparisons); comparisons > maxComparisons {
			return nil, &TooLargeError{Instructions: length(v)}
		}
		terms = append(terms, t)
		if len(t.comparisons) == 0 {
			break
		}
	}
	return terms, nil
}

// function returns the function that is decided by the first of terms that applies.
func (r *reader) function(terms []term, otherwise bpf.Return) (function, error) {
	comparisons := 0
	for i := range terms {
		if len(terms[i].comparisons) > maxConditions {
			return 0, errTooMuchWork
		}
		comparisons += len(terms[i].comparisons)
	}
	work := maxWork
	if !r.thorough {
		work = min(work, workOfOne+workOfEach*comparisons)
	}
	r.limit = min(r.work+work, workOfAll)
	return r.read(terms, otherwise)
}

// behind reports whether a term comes after one whose comparisons are all among
// its own, so that it never decides; seen are those before it, and t after it.
func (r *reader) behind(t *term, seen map[string]bool) bool {
	part := term{comparisons: make([]comparison, 0, 8)}
	key := r.key[:0]
	if n := len(t.comparisons); n <= mostTogether {
		for set := range 1 << n {
			part.comparisons = part.comparisons[:0]
			for i, c := range t.comparisons {
				if set>>i&1 != 0 {
					part.comparisons = append(part.comparisons, c)
				}
			}
			if key = part.appendKey(key[:0]); seen[string(key)] {
				return true
			}
		}
	} else if key = t.appendKey(key); seen[string(key)] {
		return true
	}
	r.key = key
	seen[string(key)] = true
	return false
}

// mostTogether is up to how many comparisons of a term each part is looked for.
const mostTogether = 6

// newTerm returns the term of a rule, false if it can never apply.
func newTerm(rule *spec.Rule) (term, bool) {
	t := term{result: rule.Return}
	for _, condition := range rule.Conditions {
		c, is := comparing(condition)
		switch {
		case is == never:
			return t, false
		case is == depends && !slices.Contains(t.comparisons, c):
			t.comparisons = append(t.comparisons, c)
		}
	}
	return t, true
}

// read returns the function whose result is that of the first of terms that
// applies, else otherwise.
func (r *reader) read(terms []term, otherwise bpf.Return) (function, error) {
	terms, otherwise = trim(terms, otherwise)
	if len(terms) == 0 {
		return r.diagrams.result(otherwise), nil
	}
	l, scattered := constant, false
	for _, t := range terms {
		for _, c := range t.comparisons {
			if c.level < l {
				l, scattered = c.level, false
			}
			scattered = scattered || c.level == l && !isPrefix(c.mask)
		}
	}
	if scattered {
		f, err := r.readBits(terms, otherwise, l)
		if err != nil {
			return 0, err
		}
		return r.diagrams.normal(l, f), nil
	}
	return r.remember(terms, otherwise, wholeWord, func() (function, error) {
		return r.readWord(terms, otherwise, l)
	})
}

// trim leaves out what makes no difference: the terms behind one that always
// applies, and the last ones as long as their result is what comes without.
func trim(terms []term, otherwise bpf.Return) ([]term, bpf.Return) {
	for i, t := range terms {
		if len(t.comparisons) == 0 {
			terms, otherwise = terms[:i], t.result
			break
		}
	}
	for len(terms) > 0 && terms[len(terms)-1].result == otherwise {
		terms = terms[:len(terms)-1]
	}
	return terms, otherwise
}

// isPrefix reports whether a mask keeps the high bits alone: the numbers that
// are equal under it are neighbours.
func isPrefix(mask uint32) bool { return mask|(mask-1) == ^uint32(0) }

// remember returns what read returns, from memory where the same was read
// before.
func (r *reader) remember(terms []term, otherwise bpf.Return, bit int8, read func() (function, error)) (function, error) {
	key := append(r.key[:0], byte(bit))
	key = binary.LittleEndian.AppendUint32(key, uint32(otherwise))
	for _, t := range terms {
		key = binary.LittleEndian.AppendUint32(key, uint32(t.result))
		key = t.appendKey(key)
		r.work += 1 + len(t.comparisons)
	}
	r.key = key
	if f, ok := r.known[string(key)]; ok {
		return f, nil
	}
	if r.work > r.limit {
		return 0, errTooMuchWork
	}
	name := string(key)
	f, err := read()
	if err == nil {
		r.known[name] = f
	}
	return f, err
}

// appendKey appends what tells t's comparisons from others.
func (t *term) appendKey(key []byte) []byte {
	key = append(key, byte(len(t.comparisons)), byte(len(t.comparisons)>>8))
	for _, c := range t.comparisons {
		key = append(key, byte(c.level), byte(c.holds))
		key = binary.LittleEndian.AppendUint32(key, c.mask)
		key = binary.LittleEndian.AppendUint32(key, c.value)
		key = binary.LittleEndian.AppendUint32(key, c.lowMask)
		key = binary.LittleEndian.AppendUint32(key, c.lowValue)
	}
	return key
}

// piece is an interval of a word's values, and what is left of a term there.
type piece struct {
	first, last uint32
	term        term
	index       int // of the term among its fellows
}

// readWord is read for terms whose first word is l, under no mask but
// prefixes: every comparison cuts the word into at most three intervals. It
// sweeps over the word from cut to cut, with the terms that are still possible
// in between.
func (r *reader) readWord(terms []term, otherwise bpf.Return, l level) (function, error) {
	pieces := make([]piece, 0, 2*len(terms))
	for i, t := range terms {
		pieces = cut(pieces, piece{0, ^uint32(0), t, i}, l)
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.index, b.index))
	})
	// The word is cut where a piece begins and behind where one ends.
	cuts := make([]uint32, 1, 2*len(pieces)+1)
	for _, p := range pieces {
		cuts = append(cuts, p.first)
		if p.last != ^uint32(0) {
			cuts = append(cuts, p.last+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)

	r.work += len(pieces)
	// Those that hold the current interval and leave something to know, by index,
	// and the others, of which the first decides.
	var live []piece
	var decided decisions
	runs := make([]run, 0, len(cuts))
	left := make([]term, 0, len(terms))
	for i, first := range cuts {
		live = slices.DeleteFunc(live, func(p piece) bool { return p.last < first })
		for len(pieces) > 0 && pieces[0].first == first {
			if len(pieces[0].term.comparisons) == 0 {
				heap.Push(&decided, pieces[0])
			} else {
				live = insert(live, pieces[0])
			}
			pieces = pieces[1:]
		}
		for len(decided) > 0 && decided[0].last < first {
			heap.Pop(&decided)
		}
		left = left[:0]
		for _, p := range live {
			if len(decided) > 0 && decided[0].index < p.index {
				break
			}
			left = append(left, p.term)
		}
		if len(decided) > 0 {
			left = append(left, decided[0].term)
		}
		if r.work += 1 + len(live); r.work > r.limit {
			return 0, errTooMuchWork
		}
		to, err := r.read(left, otherwise)
		if err != nil {
			return 0, err
		}
		last := ^uint32(0)
		if i+1 < len(cuts) {
			last = cuts[i+1] - 1
		}
		runs = append(runs, run{last, to})
	}
	return r.diagrams.word(l, runs), nil
}

// decisions is a heap of pieces by index.
type decisions []piece

func (d decisions) Len() int           { return len(d) }
func (d decisions) Less(i, j int) bool { return d[i].index < d[j].index }
func (d decisions) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push is heap.Push's.
func (d *decisions) Push(p any) { *d = append(*d, p.(piece)) }

// Pop is heap.Pop's.
func (d *decisions) Pop() any {
	last := len(*d) - 1
	p := (*d)[last]
	*d = (*d)[:last]
	return p
}

// insert puts p into its place by index.
func insert(live []piece, p piece) []piece {
	at := len(live)
	for at > 0 && live[at-1].index > p.index {
		at--
	}
	return slices.Insert(live, at, p)
}

// cut appends the parts of p in which no comparison of its term is about word
// l any more, and which are still possible.
func cut(pieces []piece, p piece, l level) []piece {
	at := slices.IndexFunc(p.term.comparisons, func(c comparison) bool { return c.level == l })
	if at < 0 {
		return append(pieces, p)
	}
	c := p.term.comparisons[at]
	part := func(first, last uint64, left comparison, is truth) {
		q := piece{max(p.first, uint32(first)), min(p.last, uint32(last)), p.term, p.index}
		if first > last || is == never || first > uint64(p.last) || last < uint64(p.first) {
			return
		}
		rest := slices.Delete(slices.Clone(p.term.comparisons), at, at+1)
		if is == depends && !slices.Contains(rest, left) {
			rest = append(rest, left)
		}
		q.term.comparisons = rest
		pieces = cut(pieces, q, l)
	}
	// Under a prefix mask, x&mask is value where x has these bits and any below.
	first, last := uint64(c.value), uint64(c.value|^c.mask)
	if c.value&^c.mask != 0 {
		// x&mask is never value: it jumps from below to above.
		last = uint64(c.value&c.mask | ^c.mask)
		first = last + 1
	}
	if first > 0 {
		part(0, first-1, comparison{}, known(c.holds&less != 0))
	}
	if first <= last {
		left, is := c.tie()
		part(first, last, left, is)
	}
	if last < 1<<32-1 {
		part(last+1, 1<<32-1, comparison{}, known(c.holds&greater != 0))
	}
	return pieces
}

// readBits is read for terms whose first word is l, bit by bit from the highest
// down.
func (r *reader) readBits(terms []term, otherwise bpf.Return, l level) (function, error) {
	terms, otherwise = trim(terms, otherwise)
	// The highest bit that any mask has is next.
	var all uint32
	for _, t := range terms {
		for _, c := range t.comparisons {
			if c.level == l {
				all |= c.mask
			}
		}
	}
	if all == 0 {
		return r.read(terms, otherwise)
	}
	bit := int8(bits.Len32(all) - 1)
	return r.remember(terms, otherwise, bit, func() (function, error) {
		var to [2]function
		for value := range to {
			left := make([]term, 0, len(terms))
			for _, t := range terms {
				if t, possible := t.fix(l, uint32(1)<<bit, uint32(value)<<bit); possible {
					left = append(left, t)
				}
			}
			var err error
			if to[value], err = r.readBits(left, otherwise, l); err != nil {
				return 0, err
			}
		}
		return r.diagrams.bit(l, bit, to[0], to[1]), nil
	})
}

// fix returns what is left of t where one bit of word l has a value; false if
// nothing can be. All bits above it are fixed already, or under no mask.
func (t term) fix(l level, bit, value uint32) (term, bool) {
	fixed := term{result: t.result, comparisons: make([]comparison, 0, len(t.comparisons))}
	for _, c := range t.comparisons {
		if c.level != l {
			fixed.keep(c)
			continue
		}
		// Bits of the value above this one, where masks have none, are
		// compared with 0.
		is := depends
		switch has, wants := value&c.mask, c.value&bit; {
		case c.value >= bit<<1 && bit<<1 != 0, has < wants:
			is = known(c.holds&less != 0)
		case has > wants:
			is = known(c.holds&greater != 0)
		default:
			c.mask &^= bit
			c.value &^= bit
			if c.mask == 0 {
				c, is = c.settle()
			}
		}
		switch is {
		case never:
			return term{}, false
		case depends:
			fixed.keep(c)
		}
	}
	return fixed, true
}

func (t *term) keep(c comparison) {
	if !slices.Contains(t.comparisons, c) {
		t.comparisons = append(t.comparisons, c)
	}
}
