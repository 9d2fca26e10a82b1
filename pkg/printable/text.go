package printable

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns s with all that does not print, but for line ends and tabs, written
// as escape sequences of JSON: control characters, marks that change the
// direction of writing, and bytes that are no UTF-8 (\u0080 and so on).
func Text(s string) string {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !shown(r, n) {
			return escape(s)
		}
		i += n
	}
	return s
}

// shown reports whether a rune of n bytes is written as it is.
func shown(r rune, n int) bool {
	return r == '\n' || r == '\t' || strconv.IsPrint(r) && (r != utf8.RuneError || n > 1)
}

func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case shown(r, n):
			b.WriteString(s[i : i+n])
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\u%04x`, s[i])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

// Writer writes what Text makes of what is written to it.
type Writer struct {
	mu sync.Mutex
	to io.Writer
	// held are the first bytes of a character whose others are still to come.
	held []byte
}

// NewWriter returns a Writer to another one.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Raw returns where bytes go that are no text.
func (w *Writer) Raw() io.Writer { return w.to }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.held, p...)
	end := len(text)
	for tail := 1; tail < utf8.UTFMax && tail <= len(text); tail++ {
		if at := len(text) - tail; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				end = at
			}
			break
		}
	}
	w.held = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(w.to, Text(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what is left. It does not close the other writer.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := io.WriteString(w.to, Text(string(w.held)))
	w.held = nil
	return err
}
