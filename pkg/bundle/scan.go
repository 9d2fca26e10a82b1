package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds nesting, and with it the scanner's stack. A config.json is
// about six levels deep; encoding/json refuses more than 10000.
const maxDepth = 512

// span is a part of the text, [start, end).
type span struct{ start, end int }

// member is one "key": value of an object.
type member struct {
	name  string // decoded
	key   span   // the quotes included
	value span
}

// scanner walks JSON text (RFC 8259) and accepts exactly what json.Valid
// accepts, less what is nested deeper than maxDepth and objects in which a
// name occurs twice.
type scanner struct {
	text []byte
	pos  int
	path []string // object keys from the root to pos, for messages
}

// document checks that the whole text is one JSON value.
func (s *scanner) document() error {
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.text) {
		return s.fail("data after the end of the document")
	}
	return nil
}

// fail says what is wrong at the current position, by line and by path.
func (s *scanner) fail(format string, args ...any) error {
	at := min(s.pos, len(s.text))
	line := 1 + bytes.Count(s.text[:at], []byte("\n"))
	column := at - bytes.LastIndexByte(s.text[:at], '\n')
	return &SyntaxError{Line: line, Column: column, Path: pathOf(s.path), Reason: fmt.Sprintf(format, args...)}
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end of the text.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return s.fail("nested more than %d levels deep", maxDepth)
	}
	switch c := s.peek(); {
	case s.pos >= len(s.text):
		return s.fail("unexpected end of the document")
	case c == '{':
		return s.object(depth, nil)
	case c == '[':
		return s.array(depth, nil)
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, literal := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.text[s.pos:], []byte(literal)) {
			s.pos += len(literal)
			return nil
		}
	}
	return s.fail("a value was expected here")
}

// object walks the object at pos and reports its members to visit, if there is
// one, in the order of the text.
func (s *scanner) object(depth int, visit func(member)) error {
	var seen names
	return s.list('{', '}', func() error {
		if s.peek() != '"' {
			return s.fail("a key was expected here")
		}
		var m member
		m.key.start = s.pos
		raw, err := s.str()
		if err != nil {
			return err
		}
		m.key.end = s.pos
		m.name = decode(raw)
		s.path = append(s.path, m.name)
		defer func() { s.path = s.path[:len(s.path)-1] }()
		if !seen.add(m.name) {
			return s.fail("the key occurs twice")
		}
		s.space()
		if s.peek() != ':' {
			return s.fail("a colon was expected here")
		}
		s.pos++
		s.space()
		m.value.start = s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		m.value.end = s.pos
		if visit != nil {
			visit(m)
		}
		return nil
	})
}

// array walks the array at pos and reports its elements to visit, if there is
// one.
func (s *scanner) array(depth int, visit func(span)) error {
	return s.list('[', ']', func() error {
		start := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			visit(span{start, s.pos})
		}
		return nil
	})
}

// list walks what objects and arrays have in common: brackets, commas, space.
func (s *scanner) list(open, end byte, element func() error) error {
	if s.peek() != open {
		return s.fail("%q was expected here", open)
	}
	s.pos++
	s.space()
	if s.peek() == end {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case end:
			s.pos++
			return nil
		case ',':
			s.pos++
			s.space()
		default:
			return s.fail("a comma or %q was expected here", end)
		}
	}
}

// str returns the string at pos as it is written, the quotes included.
func (s *scanner) str() ([]byte, error) {
	start := s.pos
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start:s.pos], nil
		case c < ' ':
			return nil, s.fail("control character in a string")
		case c == '\\':
			s.pos++
			switch s.peek() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					s.pos++
					if !isHex(s.peek()) {
						return nil, s.fail("four hexadecimal digits must follow \\u")
					}
				}
			default:
				return nil, s.fail("no such escape")
			}
		}
	}
	return nil, s.fail("the string has no end")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) number() error {
	digits := func() bool {
		from := s.pos
		for '0' <= s.peek() && s.peek() <= '9' {
			s.pos++
		}
		return s.pos > from
	}
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !digits() {
		return s.fail("not a number")
	}
	if s.peek() == '.' {
		s.pos++
		if !digits() {
			return s.fail("not a number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !digits() {
			return s.fail("not a number")
		}
	}
	return nil
}

// decode returns the text of a quoted string as encoding/json understands it,
// invalid UTF-8 replaced, so that keys are compared as the runtimes do.
func decode(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // the scanner has checked it
	return text
}

// names is the set of an object's keys: a list while it is small, as nearly
// every object is.
type names struct {
	list []string
	set  map[string]struct{}
}

// add reports whether the name is new.
func (n *names) add(name string) bool {
	if n.set == nil {
		for _, other := range n.list {
			if other == name {
				return false
			}
		}
		n.list = append(n.list, name)
		if len(n.list) == 32 {
			n.set = make(map[string]struct{}, 2*len(n.list))
			for _, other := range n.list {
				n.set[other] = struct{}{}
			}
		}
		return true
	}
	if _, twice := n.set[name]; twice {
		return false
	}
	n.set[name] = struct{}{}
	return true
}
