//go:build linux

package runtime

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFindRuntime(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	file := func(path string, mode os.FileMode) string {
		t.Helper()
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	runc, crun := file(filepath.Join(dir, "runc"), 0o755), file(filepath.Join(other, "crun"), 0o755)
	file(filepath.Join(other, "runc"), 0o644)
	for _, tc := range []struct {
		name, runtime, path string
		want                string
		wantErr             string
	}{
		{"runc first", "", other + ":" + dir, runc, ""},
		{"crun where runc cannot be executed", "", other, crun, ""},
		{"by name", "crun", dir + ":" + other, crun, ""},
		{"by path", crun, dir, crun, ""},
		{"relative directories do not count", "", ".", "", "no runc or crun on PATH"},
		{"nowhere", "youki", dir, "", "no youki on PATH"},
		{"gone", filepath.Join(dir, "gone"), dir, "", "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := findRuntime(tc.runtime, tc.path, "/usr/bin/seccomp-hook")
			switch {
			case tc.wantErr == "" && err != nil, tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)):
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			case got != tc.want:
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("itself", func(t *testing.T) {
		link := filepath.Join(dir, "link")
		if err := os.Symlink(runc, link); err != nil {
			t.Fatal(err)
		}
		if got, err := findRuntime(link, "", runc); err == nil {
			t.Errorf("found %q", got)
		}
	})
	t.Run("without PATH", func(t *testing.T) {
		if _, err := findRuntime("no-such-runtime", "", ""); err == nil || !strings.Contains(err.Error(), defaultPath) {
			t.Errorf("looked elsewhere than in %s: %v", defaultPath, err)
		}
	})
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name, text string
		env        map[string]string
		want       string // real_runtime
		wantErr    string
	}{
		{"file", "real_runtime = \"crun\"\n", nil, "crun", ""},
		{"the environment decides", "real_runtime = \"crun\"\n", map[string]string{EnvRealRuntime: "runc"}, "runc", ""},
		{"a key that is not known", "real_runtme = \"crun\"\n", nil, "", `unknown key "real_runtme"`},
		{"not TOML", "real_runtime", nil, "", "configuration"},
		{"others can write to it", "others", nil, "", "root alone must be able to write to it"},
		{"the file that is named is not there", "", map[string]string{EnvConfig: "/nowhere"}, "", "/nowhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(dir, "config.toml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if tc.text == "others" {
				if err := os.Chmod(path, 0o602); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(path)
			}
			c, err := LoadConfig(func(name string) string {
				if value, ok := tc.env[name]; ok {
					return value
				}
				if name == EnvConfig {
					return path
				}
				return ""
			})
			switch {
			case tc.wantErr == "" && err != nil, tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)):
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			case err == nil && c.RealRuntime != tc.want:
				t.Errorf("real runtime %q, want %q", c.RealRuntime, tc.want)
			}
		})
	}
}

// TestDocumentedConfiguration: the configuration that docs/runtime.md shows is
// one, and has every key.
func TestDocumentedConfiguration(t *testing.T) {
	page, err := os.ReadFile("../../docs/runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Configuration")
	_, rest, _ = strings.Cut(rest, "```toml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/runtime.md shows no configuration")
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(func(name string) string { return map[string]string{EnvConfig: path}[name] })
	if err != nil {
		t.Fatal(err)
	}
	value := reflect.ValueOf(c)
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if key, ok := field.Tag.Lookup("toml"); ok && value.Field(i).IsZero() {
			t.Errorf("docs/runtime.md does not show %s", key)
		}
	}
}
