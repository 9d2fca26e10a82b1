package record

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

// Call is a call that was made.
type Call struct {
	Token, Nr uint32
	// Arguments are the combinations of arguments that were seen, where they
	// were noted: those that do not count are 0. Without any, the call is allowed
	// whatever its arguments are.
	Arguments [][6]uint64
}

// Base says in relation to what a profile is made.
type Base struct {
	// Request is where the base profile comes from: its arguments are looked at,
	// and it is resolved for the same capabilities as the new one.
	Request filter.Request
	// Extend says that the new profile is the base with what it lacks. Else it is
	// a profile of its own.
	Extend bool
}

// Looked returns the calls of which a policy looks at arguments, with a bit for
// each of those.
func Looked(p *spec.Policy, each func(token, nr uint32, arguments uint8)) {
	for i := range p.Tokens {
		for _, r := range p.Tokens[i].Ranges {
			bits := uint8(0)
			for _, rule := range r.Verdict.Rules {
				for _, c := range rule.Conditions {
					bits |= 1 << c.Arg
				}
			}
			if bits == 0 {
				continue
			}
			for nr := uint64(r.First); nr <= uint64(r.Last); nr++ {
				each(p.Tokens[i].Audit, uint32(nr), bits)
			}
		}
	}
}

// profile is a profile as it is written: linux.seccomp of the OCI runtime-spec,
// which Docker and Podman take as well.
type profile struct {
	DefaultAction   string   `json:"defaultAction"`
	DefaultErrnoRet uint     `json:"defaultErrnoRet"`
	Architectures   []string `json:"architectures"`
	Syscalls        []rule   `json:"syscalls"`
}

type rule struct {
	Names  []string    `json:"names"`
	Action string      `json:"action"`
	Args   []condition `json:"args,omitempty"`
}

type condition struct {
	Index    uint8  `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"`
	Op       string `json:"op"`
}

const allow = "SCMP_ACT_ALLOW"

// Profile returns the profile that allows the calls, as JSON, and those of them
// that no profile can name. The profile is proved: the error says so if it is not
// what it should be.
func Profile(calls []Call, base *Base) (text []byte, unnamed []Call, err error) {
	policy, _, err := base.Request.Policy()
	if err != nil {
		return nil, nil, err
	}
	w := writer{policy: policy, extend: base.Extend, archs: map[*arch.Arch]bool{arch.Native(): true}}
	named := slices.Clone(calls)
	named = slices.DeleteFunc(named, func(c Call) bool {
		if nameOf(c) != "" {
			return false
		}
		unnamed = append(unnamed, c)
		return true
	})
	slices.SortFunc(named, func(a, b Call) int { return cmp.Or(cmp.Compare(nameOf(a), nameOf(b)), cmp.Compare(a.Token, b.Token)) })
	for _, c := range named {
		w.add(c)
	}
	if base.Extend {
		text, err = w.extended(&base.Request)
	} else {
		text, err = w.alone()
	}
	if err != nil {
		return nil, nil, err
	}
	r := base.Request
	r.Profile, r.Text, r.Seccomp = "recorded", text, false
	if err := prove(r, named); err != nil {
		return nil, nil, err
	}
	return text, unnamed, nil
}

// archOf is the architecture of a call, nil for one that is not known.
func archOf(c Call) *arch.Arch {
	for _, a := range arch.All() {
		if a.Audit == c.Token && (c.Nr >= arch.X32Bit) == (a.NumberBase == arch.X32Bit) {
			return a
		}
	}
	return nil
}

func nameOf(c Call) string {
	if a := archOf(c); a != nil {
		return a.CallName(c.Nr)
	}
	return ""
}

// writer collects the rules of a profile.
type writer struct {
	policy *spec.Policy
	extend bool
	archs  map[*arch.Arch]bool
	plain  []string // allowed whatever the arguments are
	rules  []rule
}

// add adds what allows a call.
func (w *writer) add(c Call) {
	name := nameOf(c)
	w.archs[archOf(c)] = true
	if len(c.Arguments) == 0 {
		if w.extend && allows(w.verdict(c)) {
			return
		}
		if !slices.Contains(w.plain, name) {
			w.plain = append(w.plain, name)
		}
		return
	}
	verdict := w.verdict(c)
	for _, args := range c.Arguments {
		var decided *spec.Rule
		if verdict != nil {
			var ret bpf.Return
			if ret, decided = verdict.Decide(&args); ret == bpf.RetAllow && w.extend {
				continue
			} else if ret != bpf.RetAllow {
				decided = nil
			}
		}
		r := rule{Names: []string{name}, Action: allow}
		if decided != nil && len(decided.Conditions) > 0 && !repeats(decided) {
			// What the base allows together stays together: which flags of clone a
			// program uses may differ from run to run.
			for _, cond := range decided.Conditions {
				r.Args = append(r.Args, write(cond))
			}
		} else {
			for i, looked := range w.looked(verdict) {
				if looked {
					r.Args = append(r.Args, condition{Index: uint8(i), Value: args[i], Op: "SCMP_CMP_EQ"})
				}
			}
		}
		if !slices.ContainsFunc(w.rules, func(other rule) bool { return equal(&other, &r) }) {
			w.rules = append(w.rules, r)
		}
	}
}

// repeats says that a rule looks at an argument twice, which a profile cannot
// say in one rule (see always-true in docs/profiles.md).
func repeats(r *spec.Rule) bool {
	seen := uint8(0)
	for _, c := range r.Conditions {
		if seen>>c.Arg&1 != 0 {
			return true
		}
		seen |= 1 << c.Arg
	}
	return false
}

func equal(a, b *rule) bool {
	return slices.Equal(a.Names, b.Names) && a.Action == b.Action && slices.Equal(a.Args, b.Args)
}

// looked says which arguments a verdict depends on; all, where nothing is known.
func (w *writer) looked(v *spec.Verdict) (args [6]bool) {
	if v == nil {
		return [6]bool{true, true, true, true, true, true}
	}
	for _, r := range v.Rules {
		for _, c := range r.Conditions {
			args[c.Arg] = true
		}
	}
	return args
}

func (w *writer) verdict(c Call) *spec.Verdict {
	for i := range w.policy.Tokens {
		if w.policy.Tokens[i].Audit == c.Token {
			return w.policy.Tokens[i].Lookup(c.Nr)
		}
	}
	return nil
}

// allows says that a verdict is ALLOW whatever the arguments are.
func allows(v *spec.Verdict) bool {
	if v == nil {
		return false
	}
	if len(v.Rules) == 0 {
		return v.Default == bpf.RetAllow
	}
	return len(v.Rules[0].Conditions) == 0 && v.Rules[0].Return == bpf.RetAllow
}

var operators = map[spec.Op]string{
	spec.EQ: "SCMP_CMP_EQ", spec.NE: "SCMP_CMP_NE", spec.LT: "SCMP_CMP_LT",
	spec.LE: "SCMP_CMP_LE", spec.GT: "SCMP_CMP_GT", spec.GE: "SCMP_CMP_GE",
}

// write is a condition as a profile has it.
func write(c spec.Condition) condition {
	if c.Op == spec.EQ && c.Mask != ^uint64(0) && c.Mask != 1<<32-1 {
		return condition{Index: c.Arg, Value: c.Mask, ValueTwo: c.Value, Op: "SCMP_CMP_MASKED_EQ"}
	}
	return condition{Index: c.Arg, Value: c.Value, Op: operators[c.Op]}
}

// all are the rules, the plain one first.
func (w *writer) all() []rule {
	rules := []rule{}
	if len(w.plain) > 0 {
		rules = append(rules, rule{Names: w.plain, Action: allow})
	}
	return append(rules, w.rules...)
}

// alone writes a profile of its own.
func (w *writer) alone() ([]byte, error) {
	p := profile{DefaultAction: "SCMP_ACT_ERRNO", DefaultErrnoRet: 1, Syscalls: w.all()}
	for _, a := range arch.All() {
		if w.archs[a] {
			p.Architectures = append(p.Architectures, a.OCI)
		}
	}
	return indent(p)
}

// extended writes the base with more rules.
func (w *writer) extended(base *filter.Request) ([]byte, error) {
	text := base.Text
	if text == nil {
		var err error
		if text, err = spec.BuiltinText(base.Profile); err != nil {
			return nil, err
		}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("record: base profile: %w", err)
	}
	if _, config := object["ociVersion"]; config {
		return nil, errors.New("record: the base profile is a config.json; give its linux.seccomp")
	}
	var rules []json.RawMessage
	if raw, has := object["syscalls"]; has {
		if err := json.Unmarshal(raw, &rules); err != nil {
			return nil, fmt.Errorf("record: base profile: syscalls: %w", err)
		}
	}
	for _, r := range w.all() {
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		rules = append(rules, raw)
	}
	raw, err := json.Marshal(rules)
	if err != nil {
		return nil, err
	}
	object["syscalls"] = raw
	return indent(object)
}

func indent(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "\t")
	return append(text, '\n'), err
}

// prove compiles the profile, which proves the program, and asks the program for
// every call.
func prove(r filter.Request, calls []Call) error {
	f, err := filter.Build(r)
	if err != nil {
		return fmt.Errorf("record: the profile: %w", err)
	}
	for _, c := range calls {
		if len(c.Arguments) == 0 {
			for _, t := range f.Tables {
				if o := t.Lookup(c.Nr); t.Token() == c.Token && (!o.Constant || o.Return != bpf.RetAllow) {
					return &NotAllowedError{Call: c}
				}
			}
		}
		for _, args := range append(slices.Clone(c.Arguments), [6]uint64{})[:max(1, len(c.Arguments))] {
			d := bpf.Data{Arch: c.Token, Nr: c.Nr, Args: args}
			words := d.Words(endian(c))
			if got, err := f.Program.Run(&words); err != nil || got != bpf.RetAllow {
				return &NotAllowedError{Call: c, Args: args, Return: got}
			}
		}
	}
	return nil
}

func endian(c Call) bpf.Endian {
	if a := archOf(c); a != nil {
		return a.Endian
	}
	return bpf.Little
}

// NotAllowedError says that the profile does not allow a call that was recorded:
// the base profile denies it in a way that a rule more cannot undo, or there is an
// error in here.
type NotAllowedError struct {
	Call   Call
	Args   [6]uint64
	Return bpf.Return
}

func (e *NotAllowedError) Error() string {
	return fmt.Sprintf("record: the profile does not allow %s(%#x), which was recorded: %s", nameOf(e.Call), e.Args, e.Return)
}
