//go:build integration

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"seccomp-hook/pkg/install"
)

// dispatching is a bundle whose program may make system calls from the given
// areas only.
func dispatching(t *testing.T, areas string, options ...Option) *hooked {
	t.Helper()
	return newHooked(t, "createRuntime", "deny.json", append(options, Annotation("io.seccomp-hook.dispatch", areas))...)
}

// TestHookDispatch: a static program makes calls from its own text as ever, and
// the filter still decides on them; where that is, the state says. A program
// whose text is not the area gets SIGSYS at its first call. Where the kernel lets no
// tracer set a dispatch, there is no container.
func TestHookDispatch(t *testing.T) {
	if _, err := install.DispatchOf(newPuppet(t).tid); errors.Is(err, install.ErrNoDispatch) { // TestKernelFacts says whether that is so
		EachRuntime(t, func(t *testing.T, rt Runtime) {
			got := dispatching(t, "text", WithVictim(Probe, "say", "it runs")).Run(rt)
			if got.Code == 0 || got.Stdout != "" || !strings.Contains(got.Stderr, install.ErrNoDispatch.Error()) {
				t.Errorf("%s, want an error with %q", got, install.ErrNoDispatch)
			}
		})
		t.Skip(err)
	}
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for name, victim := range map[string]struct {
			Victim
			unshare int
		}{native: {Probe, nrUnshare}, bits32: {Probe32, nrUnshare32}} {
			t.Run(name, func(t *testing.T) {
				h := dispatching(t, "text", WithVictim(victim.Victim, append([]string{"status"}, call(victim.unshare)...)...))
				got := h.Run(rt)
				if got.Code != 0 || got.Lines()["Seccomp_filters"] != "1" || got.Lines()[fmt.Sprintf("call %d", victim.unshare)] != strconv.Itoa(-denyErrno) {
					t.Errorf("%s\n%s", got, h.logged())
				}
				annotations := h.published().Annotations
				if !regexp.MustCompile(`^[0-9a-f]{8,}-[0-9a-f]{8,}$`).MatchString(annotations["io.seccomp-hook.dispatch.area"]) || annotations["io.seccomp-hook.dispatch"] != "text" {
					t.Errorf("annotations %q", annotations)
				}
			})
		}
		const killed = 128 + 31 // SIGSYS
		h := dispatching(t, "10000-11000", WithVictim(Probe, "say", "it runs"))
		if got := h.Run(rt); got.Code != killed || got.Stdout != "" {
			t.Errorf("elsewhere: %s\n%s", got, h.logged())
		}
		if area := h.published().Annotations["io.seccomp-hook.dispatch.area"]; area != "00010000-00011000" {
			t.Errorf("elsewhere: the area is %q", area)
		}
	})
}

// TestHookDispatchBadInput: what is wrong on its face stops the container from
// being created; what only shows when the program is there stops the program.
// The error says why.
func TestHookDispatchBadInput(t *testing.T) {
	for areas, want := range map[string]string{
		"":                     "empty",
		"2000-1000":            "is empty",
		"1000-1000":            "is empty",
		"1000-3000,2000-4000":  "overlap",
		"400000-ffffffffffff":  "address space",
		"text,1000-2000":       "text stands alone",
		"1000-2000,,3000-4000": "empty item",
		"[vdso],[vdso]":        "twice",
	} {
		h := dispatching(t, areas, WithVictim(Probe, "say", "it runs"))
		got := h.Run(Runc(t))
		if got.Code == 0 || got.Stdout != "" || !strings.Contains(got.Stderr, "io.seccomp-hook.dispatch: ") || !strings.Contains(got.Stderr, want) {
			t.Errorf("%q: %s, want an error with %q", areas, got, want)
		}
	}
	const killed = 128 + 9
	for name, c := range map[string]struct {
		areas   string
		dynamic bool
		want    string
	}{
		"nowhere":           {"nosuch", false, "nosuch"},
		"two areas":         {"1000-2000,3000-4000", false, "1000"},
		"a dynamic program": {"text", true, "dynamically linked"},
	} {
		h := dispatching(t, c.areas, WithVictim(Probe, "say", "it runs"))
		if c.dynamic {
			h.Spec.Process.Args = []string{dynamicProgram(t, h)}
		}
		got := h.Run(Runc(t))
		if got.Code != killed || got.Stdout != "" {
			t.Errorf("%s: %s\n%s", name, got, h.logged())
		}
		if err := h.published().Annotations["io.seccomp-hook.dispatch.error"]; !strings.Contains(err, c.want) {
			t.Errorf("%s: the error is %q, want one with %q", name, err, c.want)
		}
	}
}

// dynamicProgram puts the host's true, which is linked dynamically, and all that
// it needs into the container.
func dynamicProgram(t *testing.T, h *hooked) string {
	t.Helper()
	program, err := filepath.EvalSymlinks("/bin/true")
	must(t, err)
	needed := MustCommand(t, "ldd", program).Stdout
	for _, path := range append(regexp.MustCompile(`/\S+`).FindAllString(needed, -1), program) {
		inside := filepath.Join(h.Dir, "rootfs", path)
		must(t, os.MkdirAll(filepath.Dir(inside), 0o755))
		copyProgram(t, path, inside)
	}
	return program
}
