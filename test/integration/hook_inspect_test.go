//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"seccomp-hook/pkg/install/live"
)

// TestHookInspect looks at a running container's init from outside: what was
// installed is what was compiled, the store knows it, and the kernel's own
// table of it is the predicted one.
func TestHookInspect(t *testing.T) {
	h := newHooked(t, "createRuntime", "builtin:docker", WithVictim(Probe, "pause"))
	c := h.Create(Runc(t))
	c.Start()
	waitReleased(t, c.PID())
	hook, pid := Product(t, "seccomp-hook"), strconv.Itoa(c.PID())
	annotations := h.published().Annotations

	var in live.Inspection
	must(t, json.Unmarshal([]byte(MustCommand(t, hook, "inspect", "--root", h.root, "--pid", pid, "--format", "json", "--disassemble").Stdout), &in))
	if len(in.Filters) != 1 || in.Mode != 2 {
		t.Fatalf("%+v", in)
	}
	f := in.Filters[0]
	if f.SHA256 != annotations["io.seccomp-hook.program.sha256"] || strconv.Itoa(f.Length) != annotations["io.seccomp-hook.program.instructions"] {
		t.Errorf("installed are %d instructions, sha256 %s; the annotations say %v", f.Length, f.SHA256, annotations)
	}
	if f.Store != "builtin:docker" || len(f.Program) != f.Length {
		t.Errorf("from the store: %q, %d lines of disassembly", f.Store, len(f.Program))
	}
	if !in.Cache.Agrees {
		t.Errorf("the kernel's cache: %+v", in.Cache)
	}
	for _, s := range f.Statistics {
		for name, n := range map[string]int{"cached": s.Cached, "constant": s.Constant, "dynamic": s.Dynamic, "total": s.Total} {
			if got := annotations["io.seccomp-hook.cache."+s.Arch+"."+name]; got != strconv.Itoa(n) {
				t.Errorf("%s.%s is %d, the annotation %s", s.Arch, name, n, got)
			}
		}
	}
	if text := MustCommand(t, hook, "inspect", "--root", h.root, "--pid", pid).Stdout; !strings.Contains(text, "kernel's cache: as predicted") {
		t.Errorf("inspect prints\n%s", text)
	}

	// The table, three times: the kernel's, predicted from what is installed,
	// and predicted from the profile.
	kernels := MustCommand(t, hook, "cache", "--pid", pid).Stdout
	if predicted := MustCommand(t, hook, "cache", "--profile", "builtin:docker").Stdout; predicted != kernels {
		t.Error("the table of the profile is not the kernel's")
	}
	if strings.Count(kernels, " ALLOW\n") < 300 || strings.Count(kernels, " FILTER\n") < 100 {
		t.Errorf("the kernel's table is\n%s", kernels)
	}
	for _, args := range [][]string{{}, {"--profile", "builtin:docker"}} {
		if diff := MustCommand(t, hook, append([]string{"cache", "--diff", "--pid", pid}, args...)...).Stdout; diff != "" {
			t.Errorf("differences with %q:\n%s", args, diff)
		}
	}
	other := run(t, command(t, hook, "cache", "--diff", "--pid", pid, "--profile", filepath.Join(h.profiles, "deny.json")))
	if other.Code != 1 || !strings.Contains(other.Stdout, fmt.Sprintf("%s %d predicted ALLOW kernel FILTER\n", native, nrReboot)) {
		t.Errorf("against another profile: %s", other)
	}
	c.Kill("KILL")
	c.Wait()
}

// waitReleased waits until the installer has let go of a started container's
// init, which it does at the exec, and then ends.
func waitReleased(t *testing.T, pid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	if tracer := (Result{Stdout: string(status)}).Lines()["TracerPid"]; tracer != "0" {
		installer, err := strconv.Atoi(tracer)
		must(t, err)
		WaitExit(t, installer)
	}
}
