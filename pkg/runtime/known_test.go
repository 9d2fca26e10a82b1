package runtime

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Two versions of a file are told apart, and one that can still change unseen
// is not named.
func TestVersionOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	version := func(text string, after time.Duration) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return versionOf(f, time.Now().Add(after))
	}
	if got := version("a", 0); got != "" {
		t.Errorf("a file that is written now has the version %q", got)
	}
	first, second := version("a", time.Hour), version("ab", time.Hour)
	if first == "" || first == second {
		t.Errorf("versions %q and %q", first, second)
	}
}
