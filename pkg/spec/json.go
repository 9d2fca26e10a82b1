package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays nest, as encoding/json does.
const maxDepth = 10000

// ParseError says where a profile's text is wrong.
type ParseError struct {
	Profile      string // the name it was read under
	Path         string // "syscalls[3].args[0].value", "" for the whole
	Line, Column int    // from 1; columns are bytes; 0 in YAML
	Reason       string
}

func (e *ParseError) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	if e.Path != "" {
		where += e.Path + ": "
	}
	return fmt.Sprintf("spec: profile %s: %s%s", e.Profile, where, e.Reason)
}

// decoder reads JSON in one pass, without a tree between text and profile. It
// is stricter than encoding/json: a property may appear once, by exactly its
// name, with a value of its type, and strings are UTF-8. It is its own so that
// every error and warning can name its place, which encoding/json cannot.
type decoder struct {
	profile string
	text    string
	// converted says that the text was made of another one, and its lines say
	// nothing.
	converted bool
	pos       int
	path      []pathStep
	// held are the keys of the objects that are being read, those of an inner
	// one on top of those of the outer.
	held []string
}

// pathStep is one step from a value to one within it: to a property of an object,
// or an element of an array.
type pathStep struct {
	key     string
	index   int
	element bool
}

// property is one property of an object that reads into a T.
type property[T any] struct {
	name string
	read func(*decoder, *T) error
}

// fail returns an error about the text at pos.
func (d *decoder) fail(pos int, format string, args ...any) error {
	if d.converted {
		return &ParseError{Profile: d.profile, Path: d.where(), Reason: fmt.Sprintf(format, args...)}
	}
	before := d.text[:pos]
	return &ParseError{
		Profile: d.profile,
		Path:    d.where(),
		Line:    1 + strings.Count(before, "\n"),
		Column:  pos - strings.LastIndexByte(before, '\n'),
		Reason:  fmt.Sprintf(format, args...),
	}
}

// where returns the path of the value being read.
func (d *decoder) where() string {
	var b strings.Builder
	for i, s := range d.path {
		switch {
		case s.element:
			fmt.Fprintf(&b, "[%d]", s.index)
		case !isWord(s.key):
			fmt.Fprintf(&b, "[%q]", s.key)
		case i > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}

// place is where, from the seccomp object on.
func (d *decoder) place() string {
	return strings.TrimPrefix(strings.TrimPrefix(d.where(), configPrefix), operatorPrefix)
}

// configPrefix leads to the seccomp object of a config.json.
const configPrefix = "linux.seccomp."

// operatorPrefix leads to that of a SeccompProfile.
const operatorPrefix = "spec."

// isWord reports whether key can stand in a path as it is.
func isWord(key string) bool {
	for _, c := range []byte(key) {
		if c != '_' && (c < '0' || '9' < c) && (c < 'A' || 'Z' < c) && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return key != ""
}

// space skips white space and returns the byte after it, 0 at the end.
func (d *decoder) space() byte {
	for ; d.pos < len(d.text); d.pos++ {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// expect returns an error that says what should be at the current position.
func (d *decoder) expect(what string) error {
	if d.pos >= len(d.text) {
		return d.fail(d.pos, "the text ends, %s expected", what)
	}
	r, _ := utf8.DecodeRuneInString(d.text[d.pos:])
	return d.fail(d.pos, "%q found, %s expected", r, what)
}

// end checks that nothing follows the value.
func (d *decoder) end() error {
	if d.space() != 0 || d.pos < len(d.text) {
		return d.fail(d.pos, "data after the profile")
	}
	return nil
}

// literal takes word, if that is what comes next.
func (d *decoder) literal(word string) bool {
	if !strings.HasPrefix(d.text[d.pos:], word) {
		return false
	}
	d.pos += len(word)
	return true
}

// readObject reads an object into *into. A null counts as no property, as it
// does to encoding/json. Properties that are not in the list are skipped and
// given to unknown.
func readObject[T any](d *decoder, into *T, properties []property[T], unknown func(key string)) error {
	return d.object(func(key string, pos int) error {
		for i := range properties {
			if p := &properties[i]; p.name == key {
				if d.space() == 'n' && d.literal("null") {
					return nil
				}
				return p.read(d, into)
			}
		}
		for i := range properties {
			// A runtime written in Go would take it for the property it
			// looks like (encoding/json folds case): do not ignore it.
			if strings.EqualFold(properties[i].name, key) {
				return d.fail(pos, "property %q must be written %q", key, properties[i].name)
			}
		}
		if unknown != nil {
			unknown(key)
		}
		return d.skip()
	})
}

// object reads an object and calls member for each property: with its key, and
// the key's position, to read its value.
func (d *decoder) object(member func(key string, pos int) error) error {
	if d.space() != '{' {
		return d.expect("an object")
	}
	if len(d.path) >= maxDepth {
		return d.fail(d.pos, "nested more than %d deep", maxDepth)
	}
	d.pos++
	if d.space() == '}' {
		d.pos++
		return nil
	}
	held := len(d.held)
	var many map[string]struct{}
	for {
		d.space()
		pos := d.pos
		key, err := d.string()
		if err != nil {
			return err
		}
		d.path = append(d.path, pathStep{key: key})
		if !d.hold(key, held, &many) {
			return d.fail(pos, "duplicate property")
		}
		if d.space() != ':' {
			return d.expect("':'")
		}
		d.pos++
		if err := member(key, pos); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		switch d.space() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			d.held = d.held[:held]
			return nil
		default:
			return d.expect("',' or '}'")
		}
	}
}

// array reads an array and calls element to read each of its elements.
func (d *decoder) array(element func(i int) error) error {
	if d.space() != '[' {
		return d.expect("an array")
	}
	if len(d.path) >= maxDepth {
		return d.fail(d.pos, "nested more than %d deep", maxDepth)
	}
	d.pos++
	if d.space() == ']' {
		d.pos++
		return nil
	}
	for i := 0; ; i++ {
		d.path = append(d.path, pathStep{index: i, element: true})
		if err := element(i); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		switch d.space() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			return nil
		default:
			return d.expect("',' or ']'")
		}
	}
}

// string reads a string.
func (d *decoder) string() (string, error) {
	if d.space() != '"' {
		return "", d.expect("a string")
	}
	start := d.pos
	plain := true // no escape, ASCII
	for i := start + 1; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.pos = i + 1
			if plain {
				return d.text[start+1 : i], nil
			}
			return d.unquote(start, d.text[start:i+1])
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			return "", d.fail(i, "control character %q in a string", c)
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", d.fail(start, "string without an end")
}

// unquote decodes a string literal that has more than plain ASCII in it.
func (d *decoder) unquote(pos int, literal string) (string, error) {
	if !utf8.ValidString(literal) {
		return "", d.fail(pos, "string is not UTF-8")
	}
	var s string
	if err := json.Unmarshal([]byte(literal), &s); err != nil {
		return "", d.fail(pos, "invalid escape in a string")
	}
	return s, nil
}

// strings reads an array of strings. The list is never nil.
func (d *decoder) strings() ([]string, error) {
	return d.stringsThat(func(string) string { return "" })
}

// stringsThat reads an array of strings that check has nothing to say about.
func (d *decoder) stringsThat(check func(string) string) ([]string, error) {
	list := make([]string, 0, d.elements())
	err := d.array(func(int) error {
		d.space()
		pos := d.pos
		s, err := d.string()
		if err != nil {
			return err
		}
		if fault := check(s); fault != "" {
			return d.fail(pos, "%s", fault)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// elements returns about how many strings the array has that comes next: exactly,
// unless they have commas or brackets in them. Names are most of a profile, and a
// list of a million that grows takes longer than to read them.
func (d *decoder) elements() int {
	rest := d.text[d.pos:]
	if end := strings.IndexByte(rest, ']'); end >= 0 {
		rest = rest[:end]
	}
	const shortest = len(`"x",`)
	return min(strings.Count(rest, ",")+1, len(rest)/shortest+1)
}

// uint reads an unsigned number that is at most limit.
func (d *decoder) uint(limit uint64) (uint64, error) {
	d.space()
	start := d.pos
	if err := d.number(); err != nil {
		return 0, err
	}
	literal := d.text[start:d.pos]
	if strings.ContainsAny(literal, ".eE") {
		return 0, d.fail(start, "%s is not an integer", literal)
	}
	n, err := strconv.ParseUint(literal, 10, 64)
	if err != nil || n > limit {
		return 0, d.fail(start, "%s is out of range, 0 to %d", literal, limit)
	}
	return n, nil
}

// number skips a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (d *decoder) number() error {
	digits := func() bool {
		start := d.pos
		for d.pos < len(d.text) && '0' <= d.text[d.pos] && d.text[d.pos] <= '9' {
			d.pos++
		}
		return d.pos > start
	}
	d.literal("-")
	if !d.literal("0") && !digits() {
		return d.expect("a number")
	}
	if d.literal(".") && !digits() {
		return d.expect("a digit")
	}
	if d.literal("e") || d.literal("E") {
		if !d.literal("+") {
			d.literal("-")
		}
		if !digits() {
			return d.expect("a digit")
		}
	}
	return nil
}

// skip reads a value of any type and forgets it.
func (d *decoder) skip() error {
	switch c := d.space(); {
	case c == '{':
		return d.object(func(string, int) error { return d.skip() })
	case c == '[':
		return d.array(func(int) error { return d.skip() })
	case c == '"':
		_, err := d.string()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	case d.literal("true"), d.literal("false"), d.literal("null"):
		return nil
	}
	return d.expect("a value")
}

// manyKeys is how many keys an object may have before they are looked up in a
// map: no object of a profile has as many.
const manyKeys = 16

// hold takes down a key of the object whose keys begin at index base of held,
// and reports whether it is new. many has the keys once they are many.
func (d *decoder) hold(key string, base int, many *map[string]struct{}) bool {
	keys := d.held[base:]
	if len(keys) < manyKeys {
		if slices.Contains(keys, key) {
			return false
		}
		d.held = append(d.held, key)
		return true
	}
	if *many == nil {
		*many = make(map[string]struct{}, 2*manyKeys)
		for _, k := range keys {
			(*many)[k] = struct{}{}
		}
	}
	n := len(*many)
	(*many)[key] = struct{}{}
	return len(*many) > n
}
