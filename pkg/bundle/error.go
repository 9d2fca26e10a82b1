package bundle

import (
	"fmt"
	"strings"
)

// SyntaxError says where a config.json is not one that all readers understand
// alike, and why.
type SyntaxError struct {
	Line, Column int    // from 1; the column counts bytes
	Path         string // "linux.seccomp"; empty at the document's root
	Reason       string
}

func (e *SyntaxError) Error() string {
	where := ""
	if e.Path != "" {
		where = e.Path + ": "
	}
	return fmt.Sprintf("bundle: config.json: line %d, column %d: %s%s", e.Line, e.Column, where, e.Reason)
}

// pathOf joins keys with dots; keys that are long or hold control characters
// are shortened or quoted, for a one-line message.
func pathOf(keys []string) string {
	shown := make([]string, len(keys))
	for i, key := range keys {
		if len(key) > 64 {
			key = key[:64] + "…"
		}
		if quoted := fmt.Sprintf("%q", key); quoted != `"`+key+`"` || strings.Contains(key, ".") {
			key = quoted
		}
		shown[i] = key
	}
	return strings.Join(shown, ".")
}
