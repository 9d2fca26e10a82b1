package verify

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

// Function is what a filter returns, by architecture token and call number, as a
// policy is written. Whatever the filter is, there is one: where the diagrams of
// a number's calls take too much, the function says what they get at least, and
// of which calls that is not certain.
type Function struct {
	space     *Space
	tokens    []tokenStretches
	elsewhere []Stretch
}

type tokenStretches struct {
	audit     uint32
	stretches []Stretch
}

// Stretch is a run of call numbers, both ends included, and what their calls
// get. The stretches of a token cover all numbers.
type Stretch struct {
	First, Last uint32
	*Choice
}

// Choice is what the calls of a stretch get. The sets of its parts do not
// overlap, and are all calls of the stretch together. Choices of one Space are
// equal exactly if their pointers are.
type Choice struct {
	Parts []Part // the strictest first
	// Doubt are calls that may get something milder than their part says.
	Doubt Set
}

// Part is a return value and the calls that get it.
type Part struct {
	Return bpf.Return
	Calls  Set
}

// Constant returns what all of the calls get, if they get the same.
func (c *Choice) Constant() (bpf.Return, bool) {
	if len(c.Parts) == 1 && c.Doubt.Empty() {
		return c.Parts[0].Return, true
	}
	return 0, false
}

// Function returns what f does. The error says that f is not valid.
func (s *Space) Function(f Filter) (*Function, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	switch f := f.side.(type) {
	case policySide:
		return s.ofPolicy(f.Policy), nil
	case programSide:
		return s.ofProgram(f), nil
	case several:
		var together *Function
		for i, one := range f.filters {
			function, err := s.Function(one)
			switch {
			case err != nil:
				return nil, err
			case i == 0:
				together = function
			default:
				together = s.together(together, function, f.choose)
			}
		}
		return together, nil
	}
	return nil, fmt.Errorf("verify: no function of a %T", f.side)
}

// Tokens returns the tokens that the function knows, in ascending order.
func (f *Function) Tokens() []uint32 {
	var tokens []uint32
	for _, t := range f.tokens {
		tokens = append(tokens, t.audit)
	}
	return tokens
}

// Of returns what the calls of a token get, by numbers.
func (f *Function) Of(token uint32) []Stretch {
	if i, known := f.find(token); known {
		return f.tokens[i].stretches
	}
	var list []Stretch
	for _, s := range f.elsewhere {
		list = append(list, Stretch{s.First, s.Last, f.space.restrict(s.Choice, func(a Set) Set {
			if a.Numbered() {
				f.space.reserve(func() { a = a.And(f.space.Token(token)) })
				return a
			}
			return a.at(bpf.OffArch/4, token)
		})})
	}
	return list
}

// Elsewhere returns what the calls of tokens get that are not in Tokens. Their
// sets can depend on the token.
func (f *Function) Elsewhere() []Stretch { return f.elsewhere }

func (f *Function) find(token uint32) (int, bool) {
	return slices.BinarySearchFunc(f.tokens, token, func(t tokenStretches, token uint32) int { return cmp.Compare(t.audit, token) })
}

// At returns what calls of number nr get on the architecture of a token. The
// sets are about arguments and the instruction pointer alone.
func (f *Function) At(token, nr uint32) *Choice {
	list := f.elsewhere
	if i, known := f.find(token); known {
		list = f.tokens[i].stretches
	}
	i, _ := slices.BinarySearchFunc(list, nr, func(s Stretch, nr uint32) int { return cmp.Compare(s.Last, nr) })
	return f.space.restrict(list[i].Choice, func(a Set) Set { return a.On(token, nr) })
}

// restrict returns a choice of which something is known.
func (s *Space) restrict(c *Choice, known func(Set) Set) *Choice {
	r := Choice{Doubt: known(c.Doubt)}
	same := r.Doubt == c.Doubt
	for _, p := range c.Parts {
		calls := known(p.Calls)
		same = same && calls == p.Calls
		if !calls.Empty() {
			r.Parts = append(r.Parts, Part{p.Return, calls})
		}
	}
	if same {
		return c
	}
	return s.intern(r)
}

// intern returns the one choice of the Space that is c.
func (s *Space) intern(c Choice) *Choice {
	key := binary.LittleEndian.AppendUint32(nil, uint32(c.Doubt.r))
	for _, p := range c.Parts {
		key = binary.LittleEndian.AppendUint32(key, uint32(p.Return))
		key = binary.LittleEndian.AppendUint32(key, uint32(p.Calls.r))
	}
	one := s.choices[string(key)]
	if one == nil {
		one = &c
		s.choices[string(key)] = one
	}
	return one
}

// ofReturn is the choice that gives all calls one value.
func (s *Space) ofReturn(r bpf.Return) *Choice {
	return s.intern(Choice{Parts: []Part{{r, s.All()}}, Doubt: s.None()})
}

// stricter orders return values: the strictest first, by the kernel's order.
func stricter(a, b bpf.Return) int {
	return cmp.Or(cmp.Compare(int32(a.Action()), int32(b.Action())), cmp.Compare(a, b))
}

// Settle makes a choice of parts that can overlap, and are all of the calls
// together: each call gets the strictest of its parts. Doubt is what the result
// begins with; where overlaps are doubtful their calls are added to it.
func (s *Space) Settle(calls Set, parts []Part, doubt Set, doubtful bool) *Choice {
	if parts = slices.Clone(parts); len(parts) == 0 {
		parts = []Part{{bpf.RetKillProcess, calls}} // of no calls
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return stricter(a.Return, b.Return) })
	var c Choice
	if s.d.within(perChoice, func() {
		c = Choice{Doubt: doubt}
		left := calls
		for _, p := range parts {
			n := len(c.Parts)
			if doubtful && n > 0 {
				others := calls.Minus(left)
				if c.Parts[n-1].Return == p.Return {
					others = others.Minus(c.Parts[n-1].Calls)
				}
				c.Doubt = c.Doubt.Or(p.Calls.And(others))
			}
			mine := p.Calls.And(left)
			left = left.Minus(mine)
			switch {
			case mine.Empty():
			case n > 0 && c.Parts[n-1].Return == p.Return:
				c.Parts[n-1].Calls = c.Parts[n-1].Calls.Or(mine)
			default:
				c.Parts = append(c.Parts, Part{p.Return, mine})
			}
		}
	}) {
		return s.intern(c)
	}
	return s.intern(Choice{Parts: []Part{{parts[0].Return, calls}}, Doubt: calls})
}

// perChoice is the budget for what is done with a choice as a whole.
var perChoice = Budget{Nodes: 1 << 15, Steps: 1 << 17}

// ofPolicy returns the function of a policy.
func (s *Space) ofPolicy(p *spec.Policy) *Function {
	f := &Function{space: s, elsewhere: []Stretch{{0, ^uint32(0), s.ofReturn(p.Other)}}}
	known := make(map[verdictKey]*Choice)
	for i := range p.Tokens {
		t := tokenStretches{audit: p.Tokens[i].Audit}
		for k := range p.Tokens[i].Ranges {
			rg := &p.Tokens[i].Ranges[k]
			key := keyOf(&rg.Verdict)
			c := known[key]
			if c == nil {
				c = s.ofVerdict(&rg.Verdict)
				known[key] = c
			}
			t.stretches = extend(t.stretches, Stretch{rg.First, rg.Last, c})
		}
		f.tokens = append(f.tokens, t)
	}
	f.sort()
	return f
}

func (f *Function) sort() {
	slices.SortFunc(f.tokens, func(a, b tokenStretches) int { return cmp.Compare(a.audit, b.audit) })
}

// ofVerdict returns what a verdict gives. Drafts of a profile have most of their
// verdicts in common, so it remembers them by what they say.
func (s *Space) ofVerdict(v *spec.Verdict) *Choice {
	if len(v.Rules) == 0 {
		return s.ofReturn(v.Default)
	}
	key := binary.LittleEndian.AppendUint32(nil, uint32(v.Default))
	for i := range v.Rules {
		rule := &v.Rules[i]
		key = binary.LittleEndian.AppendUint32(key, uint32(rule.Return))
		for _, c := range rule.Conditions {
			key = append(key, 1, c.Arg, byte(c.Op))
			key = binary.LittleEndian.AppendUint64(key, c.Mask)
			key = binary.LittleEndian.AppendUint64(key, c.Value)
			s.Condition(c) // to have it
		}
		key = append(key, 0)
	}
	known := s.verdicts[string(key)]
	if known == nil {
		known = s.readVerdict(v)
		s.verdicts[string(key)] = known
	}
	return known
}

// readVerdict goes through the rules with the calls that no earlier rule has
// decided.
func (s *Space) readVerdict(v *spec.Verdict) *Choice {
	var parts []Part
	add := func(r bpf.Return, calls Set) {
		if i := slices.IndexFunc(parts, func(p Part) bool { return p.Return == r }); i >= 0 {
			parts[i].Calls = parts[i].Calls.Or(calls)
		} else if !calls.Empty() {
			parts = append(parts, Part{r, calls})
		}
	}
	if !s.d.within(perVerdict, func() {
		rest := s.All()
		for i := range v.Rules {
			meant := rest
			for _, c := range v.Rules[i].Conditions {
				meant = meant.And(s.Condition(c))
			}
			add(v.Rules[i].Return, meant)
			rest = rest.Minus(meant)
		}
		add(v.Default, rest)
	}) {
		parts = []Part{{v.Default, s.All()}}
		for i := range v.Rules {
			parts = append(parts, Part{v.Rules[i].Return, s.All()})
		}
	}
	return s.Settle(s.All(), parts, s.None(), true)
}

// perVerdict is the budget for the rules of a call.
var perVerdict = Budget{Nodes: 1 << 18, Steps: 1 << 20}

// extend adds a stretch behind those of the list.
func extend(list []Stretch, next Stretch) []Stretch {
	if n := len(list); n > 0 && list[n-1].Choice == next.Choice {
		list[n-1].Last = next.Last
		return list
	}
	return append(list, next)
}

// Zip goes through two lists of stretches at the same time, in ascending order.
func Zip(a, b []Stretch, yield func(first, last uint32, a, b *Choice)) {
	for first := uint32(0); ; {
		last := min(a[0].Last, b[0].Last)
		yield(first, last, a[0].Choice, b[0].Choice)
		if last == ^uint32(0) {
			return
		}
		if a[0].Last == last {
			a = a[1:]
		}
		if b[0].Last == last {
			b = b[1:]
		}
		first = last + 1
	}
}

// together returns what two filters return together, b being the newer one.
func (s *Space) together(a, b *Function, choose func(a, b bpf.Return) bpf.Return) *Function {
	known := make(map[[2]*Choice]*Choice)
	zip := func(a, b []Stretch) (list []Stretch) {
		Zip(a, b, func(first, last uint32, p, q *Choice) {
			c := known[[2]*Choice{p, q}]
			if c == nil {
				c = s.bothChoices(p, q, choose)
				known[[2]*Choice{p, q}] = c
			}
			list = extend(list, Stretch{first, last, c})
		})
		return list
	}
	f := &Function{space: s, elsewhere: zip(a.elsewhere, b.elsewhere)}
	tokens := append(a.Tokens(), b.Tokens()...)
	slices.Sort(tokens)
	for _, token := range slices.Compact(tokens) {
		f.tokens = append(f.tokens, tokenStretches{token, zip(a.Of(token), b.Of(token))})
	}
	return f
}

func (s *Space) bothChoices(a, b *Choice, choose func(a, b bpf.Return) bpf.Return) *Choice {
	var parts []Part
	doubt, calls := s.None(), s.None()
	if !s.d.within(perChoice, func() {
		parts = parts[:0]
		doubt = a.Doubt.Or(b.Doubt)
		for _, p := range a.Parts {
			for _, q := range b.Parts {
				both := p.Calls.And(q.Calls)
				if both.Empty() {
					continue
				}
				calls = calls.Or(both)
				r := choose(p.Return, q.Return)
				if i := slices.IndexFunc(parts, func(p Part) bool { return p.Return == r }); i >= 0 {
					parts[i].Calls = parts[i].Calls.Or(both)
				} else {
					parts = append(parts, Part{r, both})
				}
			}
		}
	}) {
		doubt, calls, parts = s.All(), s.All(), nil
		for _, p := range a.Parts {
			for _, q := range b.Parts {
				parts = append(parts, Part{choose(p.Return, q.Return), s.All()})
			}
		}
	}
	return s.Settle(calls, parts, doubt, false)
}

// Evaluate returns what one call gets: of a program by executing it, of a policy
// by its definition.
func (f Filter) Evaluate(call *bpf.Data) (bpf.Return, error) {
	v, err := f.verdict(call)
	return v.Return, err
}

// Constants returns the words that a filter compares with, or computes with,
// ascending: calls on which filters differ have these, or their neighbours.
func (f Filter) Constants() []uint32 {
	var list []uint32
	switch f := f.side.(type) {
	case policySide:
		for i := range f.Tokens {
			for _, r := range f.Tokens[i].Ranges {
				for _, rule := range r.Verdict.Rules {
					for _, c := range rule.Conditions {
						list = append(list, uint32(c.Value), uint32(c.Value>>32), uint32(c.Mask), uint32(c.Mask>>32))
					}
				}
			}
		}
	case programSide:
		for _, in := range f.prog {
			switch in.Code & bpf.ClassMask {
			case bpf.JMP, bpf.ALU, bpf.LD, bpf.LDX:
				list = append(list, in.K)
			}
		}
	case several:
		for _, one := range f.filters {
			list = append(list, one.Constants()...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
