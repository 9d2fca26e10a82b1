//go:build integration

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRuntimeClaims: what a container says of itself, and only this project can
// say, is neither shown nor believed.
func TestRuntimeClaims(t *testing.T) {
	claims := func(b *Bundle) {
		for name, value := range map[string]string{"verified": "true", "install.mode": "suspend", "program.sha256": "00", "anything": "claimed"} {
			Annotation("io.seccomp-hook."+name, value)(b)
		}
		Annotation("mine", "1")(b)
	}
	eachFront(t, func(t *testing.T, _, front Runtime) {
		for name, tc := range map[string]struct {
			options []Option
			want    string // the mode of seccomp
			status  string // the annotation of it
		}{
			"without a profile": {nil, "0", ""},
			"with one":          {[]Option{denying(t)}, "2", "suspend"},
		} {
			t.Run(name, func(t *testing.T) {
				b := NewBundle(t, append(tc.options, claims, Args("/bin/sleep", "1000"))...)
				k := keep(t, b)
				c := b.Create(front)
				k.check(t)
				c.Start()
				annotations := c.StateJSON().Annotations
				if annotations["mine"] != "1" {
					t.Errorf("annotations are %v", annotations)
				}
				for name, value := range annotations {
					if value == "claimed" || value == "00" || tc.status == "" && strings.HasPrefix(name, "io.seccomp-hook.") {
						t.Errorf("%s: %s", name, value)
					}
				}
				if r := c.Exec("/bin/grep", "Seccomp:", "/proc/self/status"); r.Code != 0 || !strings.Contains(r.Stdout, "Seccomp:\t"+tc.want+"\n") {
					t.Errorf("exec: %s", r)
				}
				log, err := os.ReadFile(filepath.Join(b.Dir, "log"))
				if err != nil || !strings.Contains(string(log), "io.seccomp-hook.anything") {
					t.Errorf("no warning: %s %v", log, err)
				}
				if r := c.Delete(true); r.Code != 0 {
					t.Errorf("delete: %s", r)
				}
			})
		}
	})
}
