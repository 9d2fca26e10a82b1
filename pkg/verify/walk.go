package verify

import (
	"math/bits"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// walk proves that a graph gives calls what one verdict gives them. It follows
// the graph path by path, with what the tests on the way say of each word, and
// with the rules that can no longer apply. At an end the rules must decide on
// the same return value.
//
// There may be exponentially many paths. What makes the walk short is that each
// proof of a node is a lemma: it needs only some of what was known there. The
// next path that comes to the node with as much needs no proof. A list of rules
// is the best example: whichever condition of a rule has failed, all that the
// rest of the list needs to know is that the rule does not apply.
type walk struct {
	graph *graph
	rules []walked
	// clauses are those of the rules, each once, and of which rules; byWord are those
	// that ask for a word.
	clauses []clause
	within  [][]int
	byWord  [words][]int
	truths  []truth    // of clauses, for generalise
	ret     bpf.Return // where no rule applies
	lemmas  map[int][]*lemma

	steps   *int                 // what is left of them
	looks   int                  // since the last step that they came to
	left    int                  // what is left for the innermost proof that may fail
	differs func(r *region) bool // whether a call of r shows a difference
	// stopped says that there is a difference, or no proof, and found that it is
	// the former.
	stopped, found bool
	// sample looks for a difference in some calls, and sampled says that it did.
	sample  func() bool
	sampled bool
	// trying is how many proofs under way may fail, and failed how often they
	// did, by node.
	trying    int
	forgotten []*region // what was known where they began
	failed    map[int]int
	// joined is what is known of all calls that come to a node, until a proof for
	// them was tried.
	joined map[int]*region
}

// walked is a rule.
type walked struct {
	clauses []int
	ret     bpf.Return
}

// region is a set of calls: what is known of their words, and of the rules.
type region struct {
	words [words]*facts
	marks marks
}

// marks is a set of things that are known of rules. Mark i is that rule i does
// not apply; behind those are the marks of the clauses, that they hold, and in a
// region those that they do not. Which words made it so makes no difference any
// more.
type marks []uint64

func (m marks) has(i int) bool { return m[i/64]>>(i%64)&1 != 0 }
func (m marks) add(i int)      { m[i/64] |= 1 << (i % 64) }

func (m marks) remove(i int) { m[i/64] &^= 1 << (i % 64) }

func (m marks) includes(n marks) bool {
	for i := range n {
		if n[i]&^m[i] != 0 {
			return false
		}
	}
	return true
}

// all yields the marks in m.
func (m marks) all(yield func(i int) bool) {
	for at, word := range m {
		for ; word != 0; word &= word - 1 {
			if !yield(64*at + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}

// lemma says that calls for which all literals and marks hold get from a node
// what they should.
type lemma struct {
	literals []literal
	marks    marks
}

func newWalk(g *graph, v *spec.Verdict, steps *int, differs func(r *region) bool) *walk {
	g.collect()
	w := &walk{graph: g, ret: v.Default, lemmas: make(map[int][]*lemma), failed: make(map[int]int), steps: steps, differs: differs}
	number := make(map[clause]int)
	for i := range v.Rules {
		rule := walked{ret: v.Rules[i].Return}
		for _, condition := range v.Rules[i].Conditions {
			c := newClause(condition)
			k, known := number[c]
			if !known {
				k = len(w.clauses)
				number[c] = k
				w.clauses = append(w.clauses, c)
				w.within = append(w.within, nil)
				w.byWord[c.high.word] = append(w.byWord[c.high.word], k)
				w.byWord[c.low.word] = append(w.byWord[c.low.word], k)
			}
			if !slices.Contains(rule.clauses, k) {
				rule.clauses = append(rule.clauses, k)
				w.within[k] = append(w.within[k], i)
			}
		}
		w.rules = append(w.rules, rule)
	}
	w.truths = make([]truth, len(w.clauses))
	return w
}

// holds and fails are the marks of clause k.
func (w *walk) holds(k int) int { return len(w.rules) + k }
func (w *walk) fails(k int) int { return len(w.rules) + len(w.clauses) + k }

func (w *walk) noMarks() marks { return make(marks, w.fails(len(w.clauses))/64+1) }

// from proves the node for all calls with the given facts, and reports whether
// it could.
func (w *walk) from(node int, known *[words]*facts) bool {
	r := &region{words: *known, marks: w.noMarks()}
	for k := range w.clauses {
		w.mark(r.marks, k, w.truth(&w.clauses[k], r))
	}
	if !w.spread(node, r) {
		w.prove(node, r)
	}
	return !w.stopped
}

// mark adds to m that clause k holds, or that it does not, nor its rules apply.
func (w *walk) mark(m marks, k int, t truth) {
	switch t {
	case always:
		m.add(w.holds(k))
	case never:
		m.add(w.fails(k))
		for _, i := range w.within[k] {
			m.add(i)
		}
	}
}

func (w *walk) truth(c *clause, r *region) truth {
	high, low := r.of(c)
	return c.truth(high, low)
}

// of returns what the comparisons of c's words can come to.
func (r *region) of(c *clause) (high, low order3) {
	return c.high.possible(r.words[c.high.word], every), c.low.possible(r.words[c.low.word], every)
}

// prove proves a node for a region, and returns what it needed. Once the walk
// has stopped it returns nil.
func (w *walk) prove(node int, r *region) *lemma {
	if w.stopped {
		return nil
	}
	list := w.lemmas[node]
	for _, l := range slices.Backward(list[max(0, len(list)-mostLemmas):]) {
		w.look(1 + len(l.marks)/8)
		if r.meets(l) {
			return l
		}
	}
	if q := &w.graph.nodes[node]; q.ways > 1 {
		if l := w.settle(node, r); l != nil || w.stopped {
			return l
		}
		if w.failed[node] < mostFailures {
			if l := w.forgetting(node, r); l != nil || w.stopped {
				return l
			}
		}
	}
	return w.expand(node, r)
}

// settle proves a node where ways meet for all calls that come there, and returns
// nil where that cannot be done, or says nothing of r. That is how each rule of a
// list is proved once: what is known wherever its test begins is that those before
// it do not apply.
func (w *walk) settle(node int, r *region) *lemma {
	j := w.joined[node]
	if j == nil || w.graph.nodes[node].test == nil {
		return nil
	}
	delete(w.joined, node)
	w.forgotten = append(w.forgotten, r)
	l := w.try(node, j, w.expand)
	w.forgotten = w.forgotten[:len(w.forgotten)-1]
	if l != nil && r.meets(l) {
		return l
	}
	return nil
}

// expand is prove for what is proved by what the node leads to.
func (w *walk) expand(node int, r *region) *lemma {
	if !w.step() {
		return nil
	}
	q := &w.graph.nodes[node]
	var l *lemma
	if q.test == nil {
		l = w.conclude(q.ret, r)
	} else {
		l = w.split(*q.test, r, func(r *region) *lemma { return w.prove(q.yes, r) }, func(r *region) *lemma { return w.prove(q.no, r) })
	}
	if !w.stopped {
		w.lemmas[node] = append(w.lemmas[node], l)
		return l
	}
	return nil
}

const (
	// mostFailures is how often it is tried to forget at a node, and mostTrying
	// how many steps are made for it.
	mostFailures = 3
	mostTrying   = 1000
)

// forgetting proves a node where ways meet without what r knows of words, and
// returns nil where that cannot be done. A proof that knows much uses some of
// it only because it was there, and is then of no use to the next way; what the
// marks say is mostly all that counts.
func (w *walk) forgetting(node int, r *region) *lemma {
	bare := &region{marks: r.marks}
	kept := uint8(words)
	if q := w.graph.nodes[node].test; q != nil && r.words[q.word^1].known == ^uint32(0) {
		kept = q.word ^ 1 // the low word is asked because of what the high one is
	}
	forgot := false
	for i := range bare.words {
		bare.words[i] = anything
		if uint8(i) == kept {
			bare.words[i] = r.words[i]
		}
		forgot = forgot || r.words[i] != bare.words[i]
	}
	if !forgot {
		return nil
	}
	w.forgotten = append(w.forgotten, r)
	l := w.try(node, &region{bare.words, w.needed(node, r.marks)}, w.prove)
	if l == nil && !w.stopped {
		bare.marks = slices.Clone(r.marks)
		for k := range w.clauses {
			bare.marks.remove(w.fails(k))
		}
		l = w.try(node, bare, w.prove)
	}
	w.forgotten = w.forgotten[:len(w.forgotten)-1]
	if l == nil {
		w.failed[node]++
		if !w.stopped && !w.sampled {
			// It may have failed because there is a difference.
			w.sampled = true
			w.found = w.sample()
			w.stopped = w.found
		}
	}
	return l
}

// try is prove where it may as well fail.
func (w *walk) try(node int, r *region, prove func(int, *region) *lemma) *lemma {
	// What is tried on the way has its own steps.
	left := w.left
	w.left = mostTrying
	w.trying++
	l := prove(node, r)
	w.trying--
	w.left = left
	w.stopped = w.found || *w.steps <= 0
	return l
}

// needed returns the marks without those that the graph finds again from a node
// on. What it finds again it need not be told.
func (w *walk) needed(node int, m marks) marks {
	kept := slices.Clone(m)
	w.look(len(w.rules) + len(w.clauses))
	asked := make([]bool, len(w.clauses))
	for k := range w.clauses {
		c := &w.clauses[k]
		if asked[k] = w.graph.asks(node, c.high) && w.graph.asks(node, c.low); asked[k] {
			kept.remove(w.holds(k))
		}
		kept.remove(w.fails(k))
	}
	for i := range w.rules {
		if !slices.ContainsFunc(w.rules[i].clauses, func(k int) bool { return !asked[k] }) {
			kept.remove(i)
		}
	}
	return kept
}

// looksOfStep is how many looks at a rule, a clause or a literal count as a step:
// a step takes the longer the more of them there are, and steps bound the time.
const looksOfStep = 64

// look counts looks, for the next step.
func (w *walk) look(n int) { w.looks += n }

// step counts one step and the looks since the last one, and reports whether there
// was one left.
func (w *walk) step() bool {
	n := 1 + w.looks/looksOfStep
	w.looks %= looksOfStep
	*w.steps -= n
	w.left--
	w.stopped = w.stopped || *w.steps <= 0 || w.trying > 0 && w.left <= 0
	return !w.stopped
}

// mostLemmas is how many lemmas of a node are asked, the newest first.
const mostLemmas = 64

// meets reports whether the calls of r are such that l speaks of.
func (r *region) meets(l *lemma) bool {
	if !r.marks.includes(l.marks) {
		return false
	}
	for _, q := range l.literals {
		if r.words[q.word].truth(q, every) != always {
			return false
		}
	}
	return true
}

// split proves something for a region by yes for the calls for which l holds and
// by no for the others.
func (w *walk) split(l literal, r *region, yes, no func(*region) *lemma) *lemma {
	whole := w.whole()
	for _, side := range [...]struct {
		literal
		prove func(*region) *lemma
	}{{l, yes}, {l.opposite(), no}} {
		part, possible := w.with(r, side.literal)
		switch {
		case !possible:
			w.exclude(whole, r, side.literal)
		case part == r:
			// It holds for all of them.
			if proved := side.prove(r); proved != nil {
				return proved.and(side.literal)
			}
			return nil
		default:
			proved := side.prove(part)
			if proved == nil {
				return nil
			}
			w.generalise(whole, proved, r, part, side.literal)
		}
	}
	return whole
}

func (w *walk) whole() *lemma { return &lemma{marks: w.noMarks()} }

// and returns the lemma that needs one more literal.
func (l *lemma) and(q literal) *lemma {
	more := &lemma{slices.Clone(l.literals), l.marks}
	more.need(q)
	return more
}

// need adds a literal to l.
func (l *lemma) need(q literal) {
	if q.mask == 0 || slices.Contains(l.literals, q) {
		return // what is about no bit holds anyway
	}
	l.literals = append(l.literals, q)
}

// with returns the calls of r for which l holds: r where it does for all; false
// where it does for none.
func (w *walk) with(r *region, l literal) (*region, bool) {
	was := r.words[l.word]
	is, possible := was.with(l)
	if !possible {
		return nil, false
	}
	if is == was {
		return r, true
	}
	part := &region{words: r.words, marks: r.marks}
	part.words[l.word] = is
	// The others that are older were asked when they came.
	recent := 0
	if is.others != was.others {
		recent = 1
	}
	w.look(len(w.byWord[l.word]))
	for _, k := range w.byWord[l.word] {
		if part.marks.has(w.holds(k)) || part.marks.has(w.fails(k)) {
			continue
		}
		c := &w.clauses[k]
		h, other := c.low, c.high
		if h.word != l.word {
			h, other = other, h
		}
		here := h.possible(is, recent)
		if here == unordered {
			continue
		}
		there := other.possible(part.words[other.word], every)
		high, low := there, here
		if h.word == c.high.word {
			high, low = here, there
		}
		if t := c.truth(high, low); t != depends {
			if &part.marks[0] == &r.marks[0] {
				part.marks = slices.Clone(r.marks)
			}
			w.mark(part.marks, k, t)
		}
	}
	return part, true
}

// exclude adds to lemma why l holds for no call of r.
func (w *walk) exclude(lemma *lemma, r *region, l literal) {
	if r.words[l.word].truth(l, every) == never {
		lemma.need(l.opposite())
		return
	}
	w.everything(lemma, r, l.word)
}

// everything adds all that r knows of a word.
func (w *walk) everything(lemma *lemma, r *region, word uint8) {
	for _, q := range r.words[word].literals(word) {
		lemma.need(q)
	}
}

// generalise adds to whole what proved, a lemma for the part of r for which l
// holds, needs r to be.
func (w *walk) generalise(whole, proved *lemma, r, part *region, l literal) {
	alone, _ := anything.with(l)
	needs := func(q literal) {
		switch {
		case q.word == l.word && alone.truth(q, every) == always:
		case q.word != l.word || r.words[q.word].truth(q, every) == always:
			whole.need(q)
		default:
			w.everything(whole, r, q.word)
		}
	}
	w.look(len(proved.literals) * (1 + len(whole.literals)/8))
	for _, q := range proved.literals {
		needs(q)
	}
	w.look(len(w.byWord[l.word]) + len(w.rules)/8)
	for _, k := range w.byWord[l.word] {
		w.truths[k] = w.truth(&w.clauses[k], part)
	}
	for i := range proved.marks.all {
		reason, ok := w.why(i, part)
		switch {
		case ok && !slices.ContainsFunc(reason, func(q literal) bool { return alone.truth(q, every) != always || q.word != l.word }):
		case r.marks.has(i):
			whole.marks.add(i)
		case ok:
			for _, q := range reason {
				needs(q)
			}
		default:
			// Facts that contradict each other brought the mark.
			for word, f := range part.words {
				for _, q := range f.literals(uint8(word)) {
					needs(q)
				}
			}
		}
	}
	for _, k := range w.byWord[l.word] {
		w.truths[k] = depends
	}
}

// why returns literals that hold in r and bring mark i by a clause of which truths
// says that it holds, or does not; false where there is none.
func (w *walk) why(i int, r *region) ([]literal, bool) {
	if i >= len(w.rules) {
		k := i - len(w.rules)
		if w.truths[k] == always {
			return w.clauses[k].reason(true, r), true
		}
		return nil, false
	}
	for _, k := range w.rules[i].clauses {
		if w.truths[k] == never {
			return w.clauses[k].reason(false, r), true
		}
	}
	return nil, false
}

// conclude proves that the rules give the calls of r the return value ret.
func (w *walk) conclude(ret bpf.Return, r *region) *lemma {
	if w.stopped || !w.step() {
		return nil
	}
	l := w.whole()
	w.look(len(w.rules) / 8)
	for i := range w.rules {
		// A rule that others have made unnecessary is known not to apply before the
		// graph asks for it.
		rule := &w.rules[i]
		if rule.ret != ret || !r.marks.has(i) {
			continue
		}
		if first, _ := w.decides(rule, r); first < 0 {
			l.marks.add(i)
			w.applies(l, rule, r)
			return l
		}
	}
	open := -1 // the first rule that may apply and would return ret
	for i := range w.rules {
		rule := &w.rules[i]
		if r.marks.has(i) {
			if rule.ret != ret {
				l.marks.add(i)
			}
			continue
		}
		first, idle := w.decides(rule, r)
		switch {
		case idle && rule.ret != ret:
			for _, q := range w.clauses[first].reason(false, r) {
				l.need(q)
			}
		case idle:
		case first < 0 && rule.ret == ret:
			w.applies(l, rule, r)
			return l
		case first >= 0 && rule.ret == ret:
			if open < 0 {
				open = i
			}
		case open >= 0:
			return w.ask(open, ret, r)
		case first >= 0:
			return w.ask(i, ret, r)
		default:
			return w.differ(r)
		}
	}
	switch {
	case ret == w.ret:
		return l
	case open >= 0:
		return w.ask(open, ret, r)
	}
	return w.differ(r)
}

// decides returns the first clause that says that a rule does not apply to the calls
// of r, and that this is so; or the first that may say so, -1 where the rule
// applies.
func (w *walk) decides(rule *walked, r *region) (clause int, idle bool) {
	clause = -1
	w.look(len(rule.clauses))
	for _, k := range rule.clauses {
		if r.marks.has(w.holds(k)) {
			continue
		}
		switch w.truth(&w.clauses[k], r) {
		case never:
			return k, true
		case depends:
			if clause < 0 {
				clause = k
			}
		}
	}
	return clause, false
}

// reason returns why c holds or does not hold in r.
func (c *clause) reason(holds bool, r *region) []literal {
	high, _ := r.of(c)
	return c.because(holds, high)
}

// ask goes on with conclude where it is known of one more literal of rule i
// whether it holds.
func (w *walk) ask(i int, ret bpf.Return, r *region) *lemma {
	for _, k := range w.rules[i].clauses {
		c := &w.clauses[k]
		if r.marks.has(w.holds(k)) {
			continue
		}
		if l, ok := c.pending(r.words[c.high.word], r.words[c.low.word]); ok && w.truth(c, r) == depends {
			again := func(r *region) *lemma { return w.conclude(ret, r) }
			return w.split(l, r, again, again)
		}
	}
	w.stopped = true // no literal tells
	return nil
}

// differ looks for a call of r, all of which get another return value from the
// graph than from the rules. It may turn out that there is none.
func (w *walk) differ(r *region) *lemma {
	if l := w.contradiction(r); l != nil {
		return l
	}
	for word, f := range r.words {
		effort := mostTries
		if _, found := f.example(&effort); !found && effort > 0 {
			l := w.whole()
			w.everything(l, r, uint8(word))
			return l
		} else if !found {
			w.stopped = true
			return nil
		}
	}
	// While it is tried to forget, there may be such a call all the same, if what
	// was forgotten goes with what was found since.
	w.stopped, w.found = true, w.differs(w.recall(r))
	return nil
}

// recall returns r with what was forgotten on the way to it, as far as that does
// not contradict what was found since.
func (w *walk) recall(r *region) *region {
	all := *r
	for _, before := range slices.Backward(w.forgotten) {
		for word, f := range before.words {
			for _, l := range f.literals(uint8(word)) {
				if g, possible := all.words[word].with(l); possible {
					all.words[word] = g
				}
			}
		}
	}
	return &all
}

// contradiction returns a lemma about a region whose marks contradict what is
// known of words, which is learned anew after it was forgotten; nil where they do
// not. There is no such call.
func (w *walk) contradiction(r *region) *lemma {
	for i := range r.marks.all {
		if i >= w.fails(0) {
			break
		}
		l := w.whole()
		l.marks.add(i)
		if i >= len(w.rules) {
			if c := &w.clauses[i-len(w.rules)]; w.truth(c, r) == never {
				l.literals = c.reason(false, r)
				return l
			}
			continue
		}
		rule := &w.rules[i]
		if first, _ := w.decides(rule, r); first >= 0 {
			continue
		}
		w.applies(l, rule, r)
		return l
	}
	return nil
}

// applies adds to l why all clauses of a rule hold in r.
func (w *walk) applies(l *lemma, rule *walked, r *region) {
	for _, k := range rule.clauses {
		if r.marks.has(w.holds(k)) {
			l.marks.add(w.holds(k))
			continue
		}
		for _, q := range w.clauses[k].reason(true, r) {
			l.need(q)
		}
	}
}

// mostTries is how many tries are made for a word that meets some facts.
const mostTries = 10_000

// call returns a call of r, once differ has found that there is one.
func (r *region) call() bpf.Data {
	var w [words]uint32
	for i, f := range r.words {
		effort := mostTries
		w[i], _ = f.example(&effort)
	}
	return callOf(&w)
}
