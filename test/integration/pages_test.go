//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestDocumentedInstall: what docs/runtime.md says to install, into one folder,
// is a runtime, and the folder is whole to the front.
func TestDocumentedInstall(t *testing.T) {
	bin := filepath.Dir(Product(t, "seccomp-runc"))
	to := t.TempDir()
	block := documented(t, "docs/runtime.md", "### Install", "cd bin", "cd "+bin, "/usr/local/bin/", to)
	MustCommand(t, "sh", "-euc", block)
	files, err := os.ReadDir(to)
	must(t, err)
	if len(files) != 4 {
		t.Errorf("%d files", len(files))
	}
	r := NewBundle(t, WithVictim(First(nrKeyctl)), Seccomp(deny("keyctl"))).Run(Runc(t).Behind("installed", filepath.Join(to, "seccomp-runc"), "--real-runtime", Tool(t, "runc")))
	if r.Code != int(unix.EPERM) {
		t.Error(r)
	}
}

// TestDocumentedHook: README.md's annotation and hook, as they stand, filter a
// container.
func TestDocumentedHook(t *testing.T) {
	var config specs.Spec
	block := documented(t, "README.md", "As a hook:", "/usr/bin/seccomp-hook", Product(t, "seccomp-hook"))
	must(t, json.Unmarshal([]byte(block), &config))
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		b := NewBundle(t, WithVictim(First(nrKeyctl)))
		b.Spec.Annotations, b.Spec.Hooks = config.Annotations, config.Hooks
		if r := b.Run(rt); r.Code != int(unix.EPERM) {
			t.Error(r)
		}
	})
}

// The example of docs/development.md, as it stands there.

func TestDenied(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) { // runc 1.1, runc 1.5, crun 1.8
		b := NewBundle(t, WithVictim(First(250)), // a static program whose first call is keyctl
			User(1000), NoNewPrivileges(false),
			Annotation("io.seccomp-hook.profile", "builtin:docker"),
			Prestart(Product(t, "seccomp-hook"), "prestart"),
			Poststop(Product(t, "seccomp-hook"), "poststop"))
		if r := b.Run(rt); r.Code != int(unix.EPERM) {
			t.Error(r)
		}
	})
}
