//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

// TestWatchWeights: a program that is compiled with the weights of a run executes
// fewer instructions for that run's uncached calls than the default one.
func TestWatchWeights(t *testing.T) {
	h := newHooked(t, "createRuntime", "builtin:docker", WithVictim(Probe))
	var words []string
	for range 20 {
		words = append(words, "call", "250", "1", "call", "103", "5", "call", "135", "8") // keyctl, syslog, personality
	}
	gate := gated(h.Bundle, append(words, "exit", "0")...)
	c := h.Create(Runc(t))
	c.Start()
	waitReleased(t, c.PID())
	path := filepath.Join(t.TempDir(), "weights")
	w := startWatch(t, "watch", c.ID, "--root", h.root, "--json", "--weights", path)
	release(t, gate)
	var r watchReport
	must(t, json.Unmarshal([]byte(w.wait(t)), &r))

	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	weights, err := compile.ParseWeights(file)
	must(t, err)
	steps := func(o compile.Options) (sum int) {
		f, err := filter.Build(filter.Request{Profile: "builtin:docker", Capabilities: spec.DefaultCapabilities(), Compile: o})
		must(t, err)
		for _, c := range r.Calls {
			if c.Cached == c.Calls {
				continue
			}
			call := c.Call
			if strings.HasSuffix(call, ":personality") {
				call += "(8)"
			}
			d, _, err := explain.ParseCall(call, arch.Native())
			must(t, err)
			data := d.Words(bpf.Little)
			_, n, err := f.Program.RunCount(&data)
			must(t, err)
			sum += n * int(c.Calls)
		}
		return sum
	}
	plain, weighted := steps(compile.Options{}), steps(compile.Options{Weights: weights})
	t.Logf("%d instructions for the run's uncached calls, %d with its weights", plain, weighted)
	if weighted >= plain {
		t.Errorf("%d instructions for the run's uncached calls, %d with its weights", plain, weighted)
	}
}
