package runtime

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Two versions of a file are told apart, and one that can still change unseen
// is no stable one.
func TestVersionOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	version := func(text string, after time.Duration) (version string, stable bool) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		version, stable, err = versionOf(f, time.Now().Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return version, stable
	}
	if got, stable := version("a", 0); stable {
		t.Errorf("a file that is written now has the version %q", got)
	}
	first, old := version("a", time.Hour)
	second, _ := version("ab", time.Hour)
	if !old || first == second {
		t.Errorf("versions %q and %q, stable %v", first, second, old)
	}
}
