package filter_test

import (
	"errors"
	"runtime"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec/spectest"
)

// TestFullProfiles builds valid profiles as large as can be read: each has a
// proved filter, or is left to the real runtime, and none takes much memory.
func TestFullProfiles(t *testing.T) {
	var archs []*arch.Arch
	for _, name := range []string{"x86_64", "x86", "x32"} {
		a, _ := arch.ByName(name)
		archs = append(archs, a)
	}
	for _, shape := range spectest.FullProfiles {
		t.Run(shape.Name, func(t *testing.T) {
			text := shape.Text()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := filter.Build(filter.Request{Profile: shape.Name, Text: text, Architectures: archs})
			runtime.ReadMemStats(&after)
			var none *filter.NoProgramError
			switch {
			case shape.Fits && err != nil, err != nil && !errors.As(err, &none):
				t.Errorf("%.200v", err)
			case shape.Fits && !f.Verified:
				t.Error("not proved")
			}
			// All that was ever allocated is more than was in use at once.
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 512 {
				t.Errorf("%d MiB allocated", allocated)
			} else {
				t.Logf("%d MiB allocated", allocated)
			}
		})
	}
}
