package printable_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"seccomp-hook/pkg/printable"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain, täglich …\n\t日本 😀": "plain, täglich …\n\t日本 😀",
		"\x1b[31mred\x07\r":        `\u001b[31mred\u0007\u000d`,
		"\x7f\u0080\u009b":         `\u007f\u0080\u009b`,
		"a\u202eb\u200bc\ufeff":    `a\u202eb\u200bc\ufeff`,
		"\xff\xc3":                 `\u00ff\u00c3`,
		"\U000e0041":               `\udb40\udc41`,
		"\ufffd":                   "\ufffd",
		`\u001b`:                   `\u001b`,
	} {
		if got := printable.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzText: what comes out prints, is text, and has nothing to be escaped any
// more; a writer writes the same, in whatever pieces; and JSON stays the same.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b[0m", "\xff", "日本\U000e0041", "a\u009bb"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, s string, piece int) {
		got := printable.Text(s)
		if !utf8.ValidString(got) || printable.Text(got) != got || strings.ContainsAny(got, "\x1b\x07\r\x7f\u009b") {
			t.Fatalf("Text(%q) = %q", s, got)
		}
		var b strings.Builder
		w := printable.NewWriter(&b)
		for rest := s; rest != ""; {
			n := min(max(piece, 1), len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || b.String() != got {
			t.Fatalf("in pieces of %d: %q, want %q (%v)", piece, b.String(), got, err)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(printable.Text(string(text))), &after); err != nil || after != before {
			t.Fatalf("%s is %q (%v)", text, after, err)
		}
	})
}

// An annotation that would clear the screen.
func ExampleText() {
	fmt.Println(printable.Text("profile \x1b[2Jnothing: no such file"))
	// Output: profile \u001b[2Jnothing: no such file
}
