package spec

import (
	"fmt"
	"math"

	"seccomp-hook/pkg/arch"
)

// Parse reads a profile of any form from its JSON text; name is for messages.
// An error about the text is a *ParseError, one about its size ErrTooLarge.
func Parse(data []byte, name string) (*Profile, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("spec: profile %s: %w", name, ErrTooLarge)
	}
	d := &decoder{profile: name, text: string(data)}
	if isResource(data) {
		if len(data) > maxYAML {
			return nil, fmt.Errorf("spec: profile %s: %w", name, ErrTooLarge)
		}
		text, err := jsonOf(data)
		switch {
		case err != nil:
			return nil, fmt.Errorf("spec: profile %s: YAML: %w", name, err)
		case len(text) > MaxSize:
			return nil, fmt.Errorf("spec: profile %s: %w", name, ErrTooLarge)
		}
		d.text, d.converted = string(text), true
	}
	f := &file{object: object{Profile: Profile{Name: name, Flags: Flags{Unset: true}}}}
	start := d.pos
	if err := readObject(d, f, fileProperties, func(string) { f.other(d) }); err != nil {
		return nil, err
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	switch {
	case f.operator.given || f.operator.spec:
		if err := f.finishOperator(d, start); err != nil {
			return nil, err
		}
	case f.config && f.bare:
		return nil, d.fail(start, "properties of both a config.json and a seccomp object")
	case f.config:
		f.Form = FormConfig
		f.Absent = !f.present
		f.Disabled = f.Absent
	case f.bare:
		for _, property := range f.others.first {
			f.warn(WarnProperty, -1, func() (string, string) { return property, unknownProperty(property) })
		}
		f.warned[WarnProperty] += f.others.count - len(f.others.first)
	default:
		return nil, d.fail(start, "neither an OCI config.json nor a seccomp profile")
	}
	if f.present {
		if err := f.finish(d, start); err != nil {
			return nil, err
		}
	}
	f.Disabled = f.Disabled || f.operator.disabled
	f.sumUp()
	return &f.Profile, nil
}

// file is a profile file while it is read. Only at its end it is known which
// form it has.
type file struct {
	object
	config  bool // it has a property of config.json
	bare    bool // it has a property of a seccomp object
	present bool // there is a seccomp object
	// others are properties of the file that are neither.
	others struct {
		first []string
		count int
	}
	operator operator
}

// other notes that the property that is being read is neither.
func (f *file) other(d *decoder) {
	if f.others.count++; f.others.count <= mostWarnings {
		f.others.first = append(f.others.first, d.where())
	}
}

// fileProperties are what a file can have at its top: what matters of a
// config.json, and all of a seccomp object.
var fileProperties = func() []property[file] {
	list := []property[file]{
		{"ociVersion", func(d *decoder, f *file) error {
			f.config = true
			return d.skip()
		}},
		{"process", func(d *decoder, f *file) error {
			f.config = true
			return readObject(d, f, processProperties, nil)
		}},
		{"linux", func(d *decoder, f *file) error {
			f.config = true
			return readObject(d, f, linuxProperties, nil)
		}},
	}
	list = append(list, resourceProperties...)
	for _, p := range dockerProperties {
		list = append(list, property[file]{p.name, func(d *decoder, f *file) error {
			f.bare, f.present = true, true
			return p.read(d, &f.object)
		}})
	}
	return list
}()

var processProperties = []property[file]{
	{"capabilities", func(d *decoder, f *file) error {
		f.Bounding = []string{} // a set that is not listed is empty
		return readObject(d, f, capabilityProperties, nil)
	}},
}

var capabilityProperties = []property[file]{
	{"bounding", func(d *decoder, f *file) (err error) {
		f.Bounding, err = d.strings()
		return err
	}},
}

var linuxProperties = []property[file]{
	{"seccomp", func(d *decoder, f *file) error {
		f.present = true
		return readObject(d, &f.object, runtimeProperties, func(string) { f.unknown(d, -1) })
	}},
}

// object is a seccomp object while it is read.
type object struct {
	Profile
	action action
	errno  errno
	warned [kindsOfWarnings]int // of each kind
}

// runtimeProperties are those that the OCI runtime-spec gives linux.seccomp.
var runtimeProperties = []property[object]{
	{"defaultAction", func(d *decoder, o *object) error { return o.action.read(d) }},
	{"defaultErrnoRet", func(d *decoder, o *object) error { return o.errno.read(d) }},
	{"architectures", func(d *decoder, o *object) error { return o.readArchitectures(d) }},
	{"flags", func(d *decoder, o *object) error { return o.readFlags(d) }},
	{"listenerPath", func(d *decoder, o *object) (err error) {
		o.ListenerPath, err = d.string()
		return err
	}},
	{"listenerMetadata", func(d *decoder, o *object) (err error) {
		o.ListenerMetadata, err = d.string()
		return err
	}},
	{"syscalls", func(d *decoder, o *object) error { return o.readSyscalls(d, ruleProperties) }},
}

func (o *object) readArchitectures(d *decoder) error {
	_, err := d.stringsThat(func(name string) string {
		a, ok := arch.ByOCI(name)
		if !ok {
			return fmt.Sprintf("unknown architecture %q", name)
		}
		o.Architectures = append(o.Architectures, a)
		return ""
	})
	return err
}

func (o *object) readFlags(d *decoder) error {
	o.Flags.Unset = false
	_, err := d.stringsThat(func(name string) string {
		if !o.Flags.set(name) {
			return fmt.Sprintf("unknown flag %q", name)
		}
		return ""
	})
	return err
}

func (o *object) readSyscalls(d *decoder, properties []property[rule]) error {
	return d.array(func(i int) error {
		d.space()
		pos := d.pos
		r := rule{object: o, index: i}
		err := readObject(d, &r, properties, func(string) { o.unknown(d, i) })
		if err != nil {
			return err
		}
		if err := r.finish(d, pos); err != nil {
			return err
		}
		o.Syscalls = append(o.Syscalls, r.Syscall)
		return nil
	})
}

// finish settles what depends on more than one property; pos is where the
// object begins.
func (o *object) finish(d *decoder, pos int) error {
	switch {
	case !o.action.given && len(o.Syscalls) == 0:
		o.Disabled = true
		return nil
	case !o.action.given:
		return d.fail(pos, "rules, but no defaultAction")
	case len(o.Architectures) > 0 && len(o.ArchMap) > 0:
		return d.fail(pos, "both architectures and archMap")
	}
	o.Default = o.combine(o.action, o.errno, -1)
	return nil
}

// unknown warns of the property that is being read.
func (o *object) unknown(d *decoder, rule int) {
	o.warn(WarnProperty, rule, func() (string, string) { return d.place(), unknownProperty(d.where()) })
}

func unknownProperty(where string) string { return "property " + where + " is unknown and ignored" }

// rule is a rule while it is read.
type rule struct {
	Syscall
	object *object
	index  int
	action action
	errno  errno
	name   string // Docker's, instead of names
}

// ruleProperties are those that the OCI runtime-spec gives a rule.
var ruleProperties = []property[rule]{
	{"names", func(d *decoder, r *rule) (err error) {
		r.Names, err = d.stringsThat(func(name string) string {
			if name == "" {
				return "empty name"
			}
			return ""
		})
		return err
	}},
	{"action", func(d *decoder, r *rule) error { return r.action.read(d) }},
	{"errnoRet", func(d *decoder, r *rule) error { return r.errno.read(d) }},
	{"args", func(d *decoder, r *rule) error {
		return d.array(func(int) error {
			d.space()
			pos := d.pos
			var a argument
			err := readObject(d, &a, argumentProperties, func(string) { r.object.unknown(d, r.index) })
			if err == nil && !a.operated {
				err = d.fail(pos, "no op")
			}
			r.Args = append(r.Args, a.Arg)
			return err
		})
	}},
}

// finish settles what depends on more than one property.
func (r *rule) finish(d *decoder, pos int) error {
	if !r.action.given {
		return d.fail(pos, "no action")
	}
	r.Return = r.object.combine(r.action, r.errno, r.index)
	if r.name != "" {
		if len(r.Names) > 0 {
			return d.fail(pos, "both name and names")
		}
		r.Names = []string{r.name}
	}
	return nil
}

// argument is a condition while it is read.
type argument struct {
	Arg
	operated bool // it has an op
}

var argumentProperties = []property[argument]{
	{"index", func(d *decoder, a *argument) error {
		index, err := d.uint(5)
		a.Index = uint8(index)
		return err
	}},
	{"value", func(d *decoder, a *argument) (err error) {
		a.Value, err = d.uint(math.MaxUint64)
		return err
	}},
	{"valueTwo", func(d *decoder, a *argument) (err error) {
		a.ValueTwo, err = d.uint(math.MaxUint64)
		return err
	}},
	{"op", func(d *decoder, a *argument) error {
		d.space()
		pos := d.pos
		name, err := d.string()
		if err != nil {
			return err
		}
		op, ok := operators[name]
		if !ok {
			return d.fail(pos, "unknown operator %q", name)
		}
		a.operated = true
		a.Op, a.Masked = op, name == "SCMP_CMP_MASKED_EQ"
		return nil
	}},
}

var operators = map[string]Op{
	"SCMP_CMP_NE":        NE,
	"SCMP_CMP_LT":        LT,
	"SCMP_CMP_LE":        LE,
	"SCMP_CMP_EQ":        EQ,
	"SCMP_CMP_GE":        GE,
	"SCMP_CMP_GT":        GT,
	"SCMP_CMP_MASKED_EQ": EQ,
}
