//go:build integration

package integration

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deny returns a profile that allows everything but these calls, which fail
// with EPERM.
func deny(names ...string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Architectures: profiled,
		Syscalls:      []specs.LinuxSyscall{{Names: names, Action: specs.ActErrno}},
	}
}

// The harness itself: what a container under each runtime's own seccomp sees.
func TestNativeSeccomp(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for _, nnp := range []bool{false, true} {
			b := NewBundle(t, WithVictim(Probe, "status", "call", strconv.Itoa(nrGetpid), "call", strconv.Itoa(nrKeyctl), "1", "say", "done", "exit", "7"),
				NoNewPrivileges(nnp), User(1000), Seccomp(deny("keyctl")))
			r := b.Run(rt)
			if r.Code != 7 || r.Stderr != "" {
				t.Fatal(r)
			}
			got := r.Lines()
			want := map[string]string{
				"Uid": "1000\t1000\t1000\t1000", "Seccomp": "2", "Seccomp_filters": "1",
				"NoNewPrivs":                     map[bool]string{false: "0", true: "1"}[nnp],
				fmt.Sprintf("call %d", nrGetpid): "1", fmt.Sprintf("call %d", nrKeyctl): "-1",
			}
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if got[key] != want[key] {
					t.Errorf("%s: %q, want %q", key, got[key], want[key])
				}
			}
			if !strings.HasSuffix(r.Stdout, "\ndone\n") {
				t.Error(r)
			}
		}
	})
}

func TestFirstCallDenied(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		for name, v := range map[string]Victim{native: First(nrKeyctl), bits32: First32(nrKeyctl32)} {
			t.Run(name, func(t *testing.T) {
				if r := NewBundle(t, WithVictim(v)).Run(rt); r.Code == 1 {
					t.Errorf("without a filter: keyctl is denied all the same: %s", r)
				}
				if r := NewBundle(t, WithVictim(v), Seccomp(deny("keyctl"))).Run(rt); r.Code != 1 {
					t.Errorf("with a filter: %s", r)
				}
			})
		}
	})
}

func TestLifecycle(t *testing.T) {
	EachRuntime(t, func(t *testing.T, rt Runtime) {
		b := NewBundle(t, WithVictim(Probe, "say", "up", "pause"))
		c := b.Create(rt)
		if got := c.StateJSON().Status; got != specs.StateCreated {
			t.Errorf("state %q", got)
		}
		c.Start()
		Eventually(t, "the container's output", func() bool { return c.Output() == "up\n" })
		if r := c.Exec("/bin/sh", "-c", "echo exec; exit 3"); r.Code != 3 || r.Stdout != "exec\n" {
			t.Error(r)
		}
		c.Kill("KILL")
		c.Wait()
		if r := c.Delete(false); r.Code != 0 {
			t.Error(r)
		}
	})
}

func TestProbe32(t *testing.T) {
	b := NewBundle(t, WithVictim(Probe32, "call", strconv.Itoa(nrGetpid32), "call", strconv.Itoa(nrKeyctl32), "1", "fork", "say", "child", "exit", "5"), Seccomp(deny("keyctl")))
	r := b.Run(Runc(t))
	if got := r.Lines(); r.Code != 5 || got[fmt.Sprintf("call %d", nrGetpid32)] != "1" || got[fmt.Sprintf("call %d", nrKeyctl32)] != "-1" || !strings.HasSuffix(r.Stdout, "child\n") {
		t.Error(r)
	}
}
