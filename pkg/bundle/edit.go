package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Edit says what to change in a config.json. The zero value changes nothing.
type Edit struct {
	// RemoveSeccomp takes linux.seccomp out.
	RemoveSeccomp bool
	// RemoveHook, where it is not nil, says of a hook that is there whether to take
	// it out. It is not asked of one whose program or arguments readers could
	// understand in different ways.
	RemoveHook func(stage Stage, path string, args []string) bool
	// Hooks are added behind those of their stage that are there already, so
	// that what an engine does to the container it does before.
	Hooks []Hook
	// RemoveAnnotations are the names of annotations to take out.
	RemoveAnnotations []string
	// Annotations are added, or replace the value of those that are there.
	Annotations map[string]string
	// MountSources has other sources for mounts, each under that which it replaces.
	MountSources map[string]string
}

// Hook is one hook to add.
type Hook struct {
	Stage Stage
	specs.Hook
}

// Stage is one of the lists of hooks that a config.json can have
// (runtime-spec, config.md, "POSIX-platform Hooks").
type Stage uint8

// The stages, in the order in which a container meets them.
const (
	Prestart Stage = iota
	CreateRuntime
	CreateContainer
	StartContainer
	Poststart
	Poststop
)

var stageNames = [...]string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// String returns the property's name in config.json.
func (s Stage) String() string { return stageNames[s] }

// Apply returns the text of c with the edit made; all other bytes are c's.
func (c *Config) Apply(e Edit) []byte {
	var p patch
	if e.RemoveSeccomp && c.seccomp.present {
		p.remove(c.linux.object, c.seccomp.member)
	}
	c.editHooks(&p, e)
	if len(e.RemoveAnnotations) > 0 {
		p.replace(c.annotations.value, c.withoutAnnotations(e.RemoveAnnotations, e.Annotations))
	} else {
		c.annotate(&p, e.Annotations)
	}
	if len(e.MountSources) > 0 {
		for _, s := range c.sources() {
			if path, other := e.MountSources[s.path]; other {
				p.replace(s.at, encode(path))
			}
		}
	}
	return p.apply(c.text)
}

func (c *Config) editHooks(p *patch, e Edit) {
	var added [len(stageNames)][][]byte
	for _, h := range e.Hooks {
		added[h.Stage] = append(added[h.Stage], encode(h.Hook))
	}
	var fresh []entry // stages that config.json does not have
	for i, list := range added {
		there := c.stages[i]
		kept, all := c.keptHooks(Stage(i), e.RemoveHook)
		if !all {
			list = slices.Concat(kept, list)
		} else if len(list) == 0 {
			continue
		}
		elements := bytes.Join(list, []byte(","))
		whole := slices.Concat([]byte("["), elements, []byte("]"))
		switch {
		case !there.present:
			fresh = append(fresh, entry{stageNames[i], whole})
		case there.null, !all:
			p.replace(there.value, whole)
		default:
			p.append(c.text, there.value, elements)
		}
	}
	c.extend(p, "hooks", c.hooks, fresh)
}

// keptHooks returns the hooks of a stage that are not to be taken out, and whether
// those are all of them.
func (c *Config) keptHooks(stage Stage, remove func(Stage, string, []string) bool) (kept [][]byte, all bool) {
	there := c.stages[stage]
	if remove == nil || !there.present || there.null {
		return nil, true
	}
	all = true
	s := scanner{text: c.text, pos: there.value.start}
	// Parse has read it before.
	_ = s.array(0, func(at span) {
		if path, args, ok := c.hookCommand(at); ok && remove(stage, path, args) {
			all = false
			return
		}
		kept = append(kept, c.text[at.start:at.end])
	})
	return kept, all
}

// hookCommand returns the program and the arguments of a hook; not where readers
// could understand them in different ways.
func (c *Config) hookCommand(at span) (path string, args []string, ok bool) {
	if c.text[at.start] != '{' {
		return "", nil, false
	}
	o, err := c.object(at.start, nil)
	if err != nil {
		return "", nil, false
	}
	for _, m := range o.members {
		switch {
		case m.name == "path":
			err = json.Unmarshal(c.text[m.value.start:m.value.end], &path)
		case m.name == "args":
			err = json.Unmarshal(c.text[m.value.start:m.value.end], &args)
		case strings.EqualFold(m.name, "path"), strings.EqualFold(m.name, "args"):
			return "", nil, false
		}
		if err != nil {
			return "", nil, false
		}
	}
	return path, args, true
}

func (c *Config) annotate(p *patch, annotations map[string]string) {
	var fresh []entry
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		value := encode(annotations[name])
		if _, there := c.annotation[name]; !there {
			fresh = append(fresh, entry{name, value})
			continue
		}
		for _, m := range c.annotations.object.members {
			if m.name == name {
				p.replace(m.value, value)
			}
		}
	}
	c.extend(p, "annotations", c.annotations, fresh)
}

// withoutAnnotations returns the text of annotations without some, and with
// others.
func (c *Config) withoutAnnotations(remove []string, annotations map[string]string) []byte {
	var members [][]byte
	for _, m := range c.annotations.object.members {
		if _, replaced := annotations[m.name]; !replaced && !slices.Contains(remove, m.name) {
			members = append(members, c.text[m.key.start:m.value.end])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		members = append(members, encodeMembers([]entry{{name, encode(annotations[name])}}))
	}
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}"))
}

// entry is a member to write.
type entry struct {
	name  string
	value []byte
}

// extend adds members to an object under the root, which is made where it is
// not there or null.
func (c *Config) extend(p *patch, name string, o property, entries []entry) {
	if len(entries) == 0 {
		return
	}
	members := encodeMembers(entries)
	whole := slices.Concat([]byte("{"), members, []byte("}"))
	switch {
	case !o.present:
		p.append(c.text, c.root.at, encodeMembers([]entry{{name, whole}}))
	case o.null:
		p.replace(o.value, whole)
	default:
		p.append(c.text, o.object.at, members)
	}
}

func encodeMembers(entries []entry) []byte {
	var b []byte
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, encode(e.name)...), ':'), e.value...)
	}
	return b
}

// encode renders strings and hooks; neither can fail. < > & stay as they are,
// which json.Marshal would escape.
func encode(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// patch is a set of replacements of parts of a text, which do not overlap.
type patch []replacement

type replacement struct {
	at   span
	text []byte
}

func (p *patch) replace(at span, text []byte) { *p = append(*p, replacement{at, text}) }

// append puts elements behind the last one of the object or array at at. What
// is put at one place twice comes out in the order of the calls.
func (p *patch) append(text []byte, at span, elements []byte) {
	end := at.end - 1 // before the bracket …
	for isSpace(text[end-1]) {
		end-- // … and before the white space that indents it
	}
	if end > at.start+1 || p.hasAppended(end) {
		elements = append([]byte(","), elements...)
	}
	p.replace(span{end, end}, elements)
}

// hasAppended reports whether something has been put at a place already: then
// an empty object is not empty any more.
func (p *patch) hasAppended(at int) bool {
	return slices.ContainsFunc(*p, func(r replacement) bool { return r.at == span{at, at} })
}

// remove takes a member out of its object, with the comma and the white space
// that belong to it.
func (p *patch) remove(o object, m member) {
	i := slices.Index(o.members, m)
	at := span{m.key.start, m.value.end}
	switch {
	case i+1 < len(o.members):
		at.end = o.members[i+1].key.start
	case i > 0:
		at.start = o.members[i-1].value.end
	}
	p.replace(at, nil)
}

func (p *patch) apply(text []byte) []byte {
	ordered := slices.Clone(*p)
	slices.SortStableFunc(ordered, func(a, b replacement) int { return cmp.Compare(a.at.start, b.at.start) })
	var out []byte
	pos := 0
	for _, r := range ordered {
		out = append(append(out, text[pos:r.at.start]...), r.text...)
		pos = r.at.end
	}
	return append(out, text[pos:]...)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
