package bundle

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Config is a config.json: its text, and where in it the parts are that this
// package reads or edits. It does not change; Apply makes a new text.
type Config struct {
	text []byte

	root        object
	linux       property
	seccomp     property // of linux
	annotations property
	hooks       property
	stages      [len(stageNames)]property // of hooks

	annotation map[string]string
	bounding   []string

	noNewPrivileges bool
	mountNamespace  bool
}

// object is where an object of the text is and what it has.
type object struct {
	at      span
	members []member
}

// property is a member of an object and what is in it. The zero value is one
// that the text does not have.
type property struct {
	member
	present bool // the key is there
	null    bool // with the value null, which the runtimes take for absent
	object  object
}

// Parse reads a config.json. The text is not copied and must not change. The
// error is a *SyntaxError.
//
// Only what Config has methods for is checked beyond syntax: linux, hooks,
// annotations and process are objects, the hooks' stages are arrays,
// annotations and process.capabilities.bounding hold strings. null stands for
// an absent property.
func Parse(text []byte) (*Config, error) {
	c := &Config{text: text}
	s := scanner{text: text}
	if err := s.document(); err != nil {
		return nil, err
	}
	s.pos = 0
	s.space()
	var err error
	if c.root, err = c.object(s.pos, nil); err != nil {
		return nil, err
	}
	if c.linux, err = c.find(c.root, '{', "linux"); err != nil {
		return nil, err
	}
	if c.seccomp, err = c.find(c.linux.object, '{', "linux", "seccomp"); err != nil {
		return nil, err
	}
	if err := c.readNamespaces(); err != nil {
		return nil, err
	}
	if c.hooks, err = c.find(c.root, '{', "hooks"); err != nil {
		return nil, err
	}
	for i, stage := range stageNames {
		if c.stages[i], err = c.find(c.hooks.object, '[', "hooks", stage); err != nil {
			return nil, err
		}
	}
	if err := c.readAnnotations(); err != nil {
		return nil, err
	}
	return c, c.readProcess()
}

// object indexes the object at pos.
func (c *Config) object(pos int, path []string) (object, error) {
	s := scanner{text: c.text, pos: pos, path: slices.Clip(path)}
	var o object
	err := s.object(0, func(m member) { o.members = append(o.members, m) })
	o.at = span{pos, s.pos}
	return o, err
}

// find returns the member of o that path names, whose value must begin as open
// says: an object, an array, or with 't' a truth value. Only objects are
// indexed.
func (c *Config) find(o object, open byte, path ...string) (property, error) {
	name := path[len(path)-1]
	var p property
	for _, m := range o.members {
		if m.name != name {
			// encoding/json folds case where no key matches exactly, and
			// takes the last of several. Readers that do not would see
			// another document.
			if strings.EqualFold(m.name, name) {
				return p, c.fail(m.key.start, path, "the key %q differs from it only in case; some runtimes read it and some do not", m.name)
			}
			continue
		}
		p = property{member: m, present: true}
	}
	if !p.present {
		return p, nil
	}
	value := c.text[p.value.start:p.value.end]
	switch {
	case string(value) == "null":
		p.null = true
	case value[0] != open && !(open == 't' && value[0] == 'f'):
		return p, c.fail(p.value.start, path, "%s was expected", map[byte]string{'{': "an object", '[': "an array", 't': "true or false"}[open])
	case open == '{':
		var err error
		if p.object, err = c.object(p.value.start, path); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (c *Config) fail(pos int, path []string, format string, args ...any) error {
	s := scanner{text: c.text, pos: pos, path: path}
	return s.fail(format, args...)
}

func (c *Config) readAnnotations() (err error) {
	if c.annotations, err = c.find(c.root, '{', "annotations"); err != nil {
		return err
	}
	c.annotation = make(map[string]string, len(c.annotations.object.members))
	for _, m := range c.annotations.object.members {
		value := c.text[m.value.start:m.value.end]
		if value[0] != '"' {
			return c.fail(m.value.start, []string{"annotations", m.name}, "a string was expected")
		}
		c.annotation[m.name] = decode(value)
	}
	return nil
}

func (c *Config) readProcess() error {
	process, err := c.find(c.root, '{', "process")
	if err != nil {
		return err
	}
	noNewPrivileges, err := c.find(process.object, 't', "process", "noNewPrivileges")
	if err != nil {
		return err
	}
	c.noNewPrivileges = noNewPrivileges.present && !noNewPrivileges.null && c.text[noNewPrivileges.value.start] == 't'
	return c.readCapabilities(process)
}

func (c *Config) readCapabilities(process property) error {
	path := []string{"process", "capabilities", "bounding"}
	capabilities, err := c.find(process.object, '{', path[:2]...)
	if err != nil {
		return err
	}
	bounding, err := c.find(capabilities.object, '[', path...)
	if err != nil || !bounding.present || bounding.null {
		return err
	}
	s := scanner{text: c.text, pos: bounding.value.start, path: slices.Clip(path)}
	c.bounding = []string{}
	var bad error
	err = s.array(0, func(at span) {
		if c.text[at.start] != '"' {
			bad = c.fail(at.start, path, "a string was expected")
			return
		}
		c.bounding = append(c.bounding, decode(c.text[at.start:at.end]))
	})
	if err == nil {
		err = bad
	}
	return err
}

// readNamespaces looks for a mount namespace that the container gets of its own. An
// element that is no such object is the runtime's to refuse.
func (c *Config) readNamespaces() error {
	path := []string{"linux", "namespaces"}
	namespaces, err := c.find(c.linux.object, '[', path...)
	if err != nil || !namespaces.present || namespaces.null {
		return err
	}
	s := scanner{text: c.text, pos: namespaces.value.start, path: slices.Clip(path)}
	return s.array(0, func(at span) {
		if c.text[at.start] != '{' {
			return
		}
		o, err := c.object(at.start, path)
		if err != nil {
			return
		}
		kind, joined := "", false
		for _, m := range o.members {
			value := c.text[m.value.start:m.value.end]
			switch {
			case m.name == "type" && value[0] == '"':
				kind = decode(value)
			case strings.EqualFold(m.name, "path") && string(value) != "null" && string(value) != `""`:
				joined = true
			}
		}
		c.mountNamespace = c.mountNamespace || kind == "mount" && !joined
	})
}

// MountNamespace reports whether linux.namespaces gives the container a mount
// namespace of its own, not one that is there already.
func (c *Config) MountNamespace() bool { return c.mountNamespace }

// Annotations returns all annotations; the map is not to be changed.
func (c *Config) Annotations() map[string]string { return c.annotation }

// Hooked reports whether config.json has a hook, at any stage.
func (c *Config) Hooked() bool {
	for _, stage := range c.stages {
		if stage.present && !stage.null && len(bytes.TrimSpace(c.text[stage.value.start+1:stage.value.end-1])) > 0 {
			return true
		}
	}
	return false
}

// Seccomp returns the text of linux.seccomp, nil where there is none.
func (c *Config) Seccomp() json.RawMessage {
	if !c.seccomp.present || c.seccomp.null {
		return nil
	}
	return bytes.Clone(c.text[c.seccomp.value.start:c.seccomp.value.end])
}

// Annotation returns an annotation's value and whether there is one.
func (c *Config) Annotation(name string) (string, bool) {
	value, ok := c.annotation[name]
	return value, ok
}

// NoNewPrivileges returns process.noNewPrivileges.
func (c *Config) NoNewPrivileges() bool { return c.noNewPrivileges }

// Bounding returns process.capabilities.bounding as written. It is nil where
// config.json does not have it.
func (c *Config) Bounding() []string { return c.bounding }
