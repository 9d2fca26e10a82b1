package spec_test

import (
	"errors"
	"runtime"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// TestFullProfiles resolves valid profiles as large as can be read, for all
// architectures of one byte order: each comes to its end, in a bounded number of
// steps and with little memory, as a policy or as ErrTooMany.
func TestFullProfiles(t *testing.T) {
	x86_64, _ := arch.ByName("x86_64")
	archs := []*arch.Arch{x86_64}
	for _, a := range arch.All() {
		if a.Endian == bpf.Little && a != x86_64 {
			archs = append(archs, a)
		}
	}
	for _, shape := range spectest.FullProfiles {
		t.Run(shape.Name, func(t *testing.T) {
			text := shape.Text()
			if len(text) < spec.MaxSize*9/10 {
				t.Fatalf("%d bytes", len(text))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := spec.Parse(text, shape.Name)
			if err != nil {
				t.Fatal(err)
			}
			policy, work, err := p.ResolveCounted(spec.Target{Archs: archs})
			runtime.ReadMemStats(&after)
			if err != nil && (shape.Fits || !errors.Is(err, spec.ErrTooMany)) {
				t.Errorf("%.200v", err)
			}
			// One rule is the most that can be too much.
			if work > spec.MaxWork*5/4 {
				t.Errorf("%d steps", work)
			}
			// All that was ever allocated is more than was in use at once.
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			if allocated > 192 {
				t.Errorf("%d MiB allocated", allocated)
			}
			if policy != nil && len(policy.Warnings) > 64 {
				t.Errorf("%d warnings", len(policy.Warnings))
			}
			t.Logf("%d steps, %d MiB allocated", work, allocated)
		})
	}
}

// TestFourThousandConditions resolves as many conditions as a program could have
// room for, in every shape: that is not too many.
func TestFourThousandConditions(t *testing.T) {
	x86_64, _ := arch.ByName("x86_64")
	for _, shape := range spectest.FullProfiles {
		p, err := spec.Parse(shape.Text(), shape.Name)
		if err != nil {
			t.Fatal(err)
		}
		left := 4000
		for i := range p.Syscalls {
			s := &p.Syscalls[i]
			s.Args = s.Args[:min(len(s.Args), left)]
			if left -= len(s.Args); left == 0 {
				p.Syscalls = p.Syscalls[:i+1]
				break
			}
		}
		if _, work, err := p.ResolveCounted(spec.Target{Archs: []*arch.Arch{x86_64}}); err != nil {
			t.Errorf("%s: %.200v", shape.Name, err)
		} else {
			t.Logf("%s: %d steps", shape.Name, work)
		}
	}
}
