package spec

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"

	"seccomp-hook/pkg/arch"
)

// The SeccompProfile of the Kubernetes Security Profiles Operator
// (api/seccompprofile/v1beta1): a seccomp object as the spec of a resource.
const (
	operatorVersion = "security-profiles-operator.x-k8s.io/v1beta1"
	operatorKind    = "SeccompProfile"
)

// ErrBaseProfile says that a SeccompProfile has a baseProfileName. The operator
// unites the rules of the two, the base being in a cluster or a registry, so
// that the file alone does not say what it means.
var ErrBaseProfile = errors.New("spec.baseProfileName: the base profile is not in this file; take the property out, and merge the file with the base by merge --mode union")

// isResource reports whether a text is a Kubernetes resource in YAML: whether a
// line begins with one of the names that every resource has. JSON, which has its
// names in quotes, does not.
func isResource(text []byte) bool {
	for {
		for _, name := range [...]string{"apiVersion", "kind"} {
			if rest, found := bytes.CutPrefix(text, []byte(name)); found && bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(":")) {
				return true
			}
		}
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return false
		}
		text = text[end+1:]
	}
}

// document says where in YAML another document begins, or one ends.
var document = regexp.MustCompile(`(?m)^(---|\.{3})([ \t].*)?$`)

// jsonOf returns the JSON of a resource in YAML, which may be one document.
func jsonOf(text []byte) ([]byte, error) {
	rest := text
	if at := document.FindIndex(text); len(at) > 0 && len(bytes.TrimSpace(stripComments(text[:at[0]]))) == 0 {
		rest = text[at[1]:]
	}
	if document.Match(rest) {
		return nil, errors.New("more than one YAML document")
	}
	return yaml.YAMLToJSONStrict(text)
}

// stripComments takes comments out of YAML that has nothing else.
func stripComments(text []byte) []byte {
	return regexp.MustCompile(`(?m)^[ \t]*#.*$`).ReplaceAll(text, nil)
}

// operator is what the resource has besides the seccomp object.
type operator struct {
	version, kind string
	given         bool // there is an apiVersion or a kind
	spec          bool // there is a spec
	base          string
	disabled      bool
}

var resourceProperties = []property[file]{
	{"apiVersion", func(d *decoder, f *file) (err error) {
		f.operator.given = true
		f.operator.version, err = d.string()
		return err
	}},
	{"kind", func(d *decoder, f *file) (err error) {
		f.operator.given = true
		f.operator.kind, err = d.string()
		return err
	}},
	{"metadata", func(d *decoder, f *file) error {
		f.other(d)
		return d.skip()
	}},
	{"status", func(d *decoder, f *file) error {
		f.other(d)
		return d.skip()
	}},
	{"spec", func(d *decoder, f *file) error {
		f.operator.spec, f.present = true, true
		return readObject(d, f, operatorProperties, func(string) { f.unknown(d, -1) })
	}},
}

// operatorProperties are those of a SeccompProfile's spec.
var operatorProperties = func() []property[file] {
	list := []property[file]{
		{"baseProfileName", func(d *decoder, f *file) (err error) {
			f.operator.base, err = d.string()
			return err
		}},
		{"disabled", func(d *decoder, f *file) error {
			d.space()
			switch {
			case d.literal("true"):
				f.operator.disabled = true
			case !d.literal("false"):
				return d.expect("true or false")
			}
			return nil
		}},
	}
	for _, p := range runtimeProperties {
		switch p.name {
		case "defaultErrnoRet":
			continue // the operator has none
		case "architectures":
			p.read = func(d *decoder, o *object) error { return o.readOperatorArchitectures(d) }
		case "syscalls":
			p.read = func(d *decoder, o *object) error { return o.readSyscalls(d, operatorRuleProperties) }
		}
		list = append(list, property[file]{p.name, func(d *decoder, f *file) error { return p.read(d, &f.object) }})
	}
	return list
}()

// operatorRuleProperties are those of a rule there: errnoRet is a string.
var operatorRuleProperties = func() []property[rule] {
	var list []property[rule]
	for _, p := range ruleProperties {
		if p.name == "errnoRet" {
			p.read = func(d *decoder, r *rule) error {
				if d.space() == '"' {
					return r.errno.readName(d)
				}
				return r.errno.read(d)
			}
		}
		list = append(list, p)
	}
	return list
}()

// readOperatorArchitectures reads architectures; SCMP_ARCH_NATIVE is listed
// always.
func (o *object) readOperatorArchitectures(d *decoder) error {
	_, err := d.stringsThat(func(name string) string {
		if name == "SCMP_ARCH_NATIVE" {
			return ""
		}
		a, known := arch.ByOCI(name)
		if !known {
			return "unknown architecture \"" + name + "\""
		}
		o.Architectures = append(o.Architectures, a)
		return ""
	})
	return err
}

// finishOperator settles what a resource is.
func (f *file) finishOperator(d *decoder, pos int) error {
	o := &f.operator
	switch {
	case !o.given:
		return d.fail(pos, "a spec, but no apiVersion and kind")
	case f.config || f.bare:
		return d.fail(pos, "properties of both a Kubernetes resource and another form")
	case o.kind != operatorKind || o.version != operatorVersion:
		return d.fail(pos, "a resource %q of %q, %q of %q expected", o.kind, o.version, operatorKind, operatorVersion)
	case !o.spec:
		return d.fail(pos, "no spec")
	case o.base != "":
		return fmt.Errorf("spec: profile %s: %w", d.profile, ErrBaseProfile)
	}
	f.Form = FormOperator
	return nil
}
