//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// documented returns the first code block behind words of a page, without its
// fences, and with paths of this machine in the place of the page's. So a test
// uses what a reader copies.
func documented(t *testing.T, page, words string, paths ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), page))
	must(t, err)
	_, rest, found := strings.Cut(string(text), words)
	_, rest, fence := strings.Cut(rest, "\n```")
	_, rest, language := strings.Cut(rest, "\n")
	block, _, end := strings.Cut(rest, "\n```")
	if !found || !fence || !language || !end {
		t.Fatalf("%s has no block of code behind %q", page, words)
	}
	for i := 0; i < len(paths); i += 2 {
		if !strings.Contains(block, paths[i]) {
			t.Fatalf("%s, %q: the block has no %s", page, words, paths[i])
		}
	}
	return strings.NewReplacer(paths...).Replace(block) + "\n"
}
