//go:build integration && (amd64 || arm64)

package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/runtime"
)

// TestFrontPlain: a container that asks for no filter for certain is the real
// runtime's alone, and an attendant is started for any other.
func TestFrontPlain(t *testing.T) {
	const none = `"linux":{`
	for _, tc := range []struct {
		name     string
		edit     func(text []byte) []byte
		attended bool
	}{
		{"nothing", func(text []byte) []byte { return text }, false},
		{"linux.seccomp", func(text []byte) []byte { return bytes.Replace(text, []byte(none), []byte(none+`"seccomp":null,`), 1) }, true},
		{"in another case", func(text []byte) []byte { return bytes.Replace(text, []byte(none), []byte(none+`"secComp":null,`), 1) }, true},
		{"escaped", func(text []byte) []byte {
			return bytes.Replace(text, []byte(none), []byte(none+`"\u0073eccomp":null,`), 1)
		}, true},
		{"an annotation", func(text []byte) []byte {
			return append([]byte(`{"annotations":{"io.seccomp-hook.profile":"builtin:docker"},`), text[1:]...)
		}, true},
		{"too large to look at", func(text []byte) []byte { return append(text, bytes.Repeat([]byte(" "), 1<<17)...) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The attendant leaves a mark and ends, so there is no container.
			dir := t.TempDir()
			mark, path := filepath.Join(dir, "mark"), filepath.Join(dir, runtime.Name)
			copyProgram(t, Product(t, "seccomp-runc"), path)
			must(t, os.WriteFile(filepath.Join(dir, "seccomp-hook-runtime"), []byte("#!/bin/sh\n: >"+mark+"\n"), 0o755))

			b := NewBundle(t, Args("/bin/true"))
			b.Save()
			text, err := os.ReadFile(b.ConfigPath())
			must(t, err)
			compact := new(bytes.Buffer)
			must(t, json.Compact(compact, text))
			edited := tc.edit(compact.Bytes())
			if tc.attended == bytes.Equal(edited, compact.Bytes()) {
				t.Fatal("config.json is not what the test needs")
			}
			must(t, os.WriteFile(b.ConfigPath(), edited, 0o600))
			rt := Runc(t)
			c := b.NewContainer(rt.Behind("marked", path, "--real-runtime", rt.Argv[0]))
			r := c.Command("run", "--bundle", b.Dir, c.ID)
			_, err = os.Stat(mark)
			if attended := err == nil; attended != tc.attended || attended == (r.Code == 0) {
				t.Errorf("attended: %v, want %v; %s", attended, tc.attended, r)
			}
		})
	}
}

// TestFrontPlainExec: an exec in a container that has no filter from here is the
// real runtime's alone. It is not for the front to say so of one whose
// annotations tell of a filter.
func TestFrontPlainExec(t *testing.T) {
	eachFront(t, func(t *testing.T, plain, _ Runtime) {
		alone := plain.Behind("alone", frontAlone(t), "--real-runtime", plain.Argv[0])
		for _, tc := range []struct {
			name   string
			option Option
			want   string
		}{
			{"nothing", func(*Bundle) {}, "in\n"},
			{"a filter of the runtime's own", denying(t), "in\n"},
			{"an annotation of ours", Annotation("io.seccomp-hook.program.sha256", "00"), "deferred\n"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				b := NewBundle(t, tc.option, Args("/bin/sleep", "1000000"))
				c := b.Create(plain)
				c.Start()
				c.Runtime = alone
				if r := c.Exec("/bin/echo", "in"); r.Stdout != tc.want {
					t.Errorf("want %q: %s", tc.want, r)
				}
				c.Runtime = plain
			})
		}
	})
}
