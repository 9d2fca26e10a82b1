package spec

import (
	"strings"
	"unicode/utf8"
)

// Position is a place in a profile's text: line and column from 1, columns
// counted in characters. The zero value is none.
type Position struct{ Line, Column int }

// Places finds where in a profile's text its parts are.
type Places struct{ at map[string]Position }

// FindPlaces returns the places of a text that Parse has read. In one that it
// would not read there are none.
func FindPlaces(text []byte) Places {
	d := &decoder{text: string(text)}
	p := Places{at: map[string]Position{}}
	// Lines are counted along the way: values come in the order of the text.
	position, last := Position{1, 1}, 0
	mark := func(pos int) Position {
		passed := d.text[last:pos]
		if lines := strings.Count(passed, "\n"); lines > 0 {
			position.Line += lines
			position.Column = 1
			passed = passed[strings.LastIndexByte(passed, '\n')+1:]
		}
		position.Column += utf8.RuneCountInString(passed)
		last = pos
		return position
	}
	var walk func() error
	walk = func() error {
		switch d.space() {
		case '{':
			return d.object(func(_ string, pos int) error {
				p.at[d.place()] = mark(pos)
				return walk()
			})
		case '[':
			return d.array(func(int) error {
				d.space()
				p.at[d.place()] = mark(d.pos)
				return walk()
			})
		}
		return d.skip()
	}
	if err := walk(); err != nil {
		return Places{}
	}
	return p
}

// Of returns the position of a part of the seccomp object,
// "syscalls[3].names[0]", or of the part that it would be in. A property is
// where its name is.
func (p Places) Of(path string) Position {
	for {
		if at, ok := p.at[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return Position{}
		}
		path = path[:cut]
	}
}
