package filter

import (
	"errors"
	"strings"
	"testing"

	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/verify"
)

// TestReference: under the tag libseccomp both builtins are proved equal to what
// runc and libseccomp make of them; without it, the error says what is missing.
func TestReference(t *testing.T) {
	for _, profile := range []string{"builtin:docker", "builtin:containerd"} {
		for _, names := range [][]string{{"x86_64"}, {"x86_64", "x86", "x32"}, {"aarch64", "arm"}, {"s390x", "s390"}} {
			r := Request{Profile: profile, Architectures: archs(names...), Kernel: kernel618}
			result, left, err := CompareReference(r)
			if _, missing := reference.Version(); missing != nil {
				if !errors.Is(err, reference.ErrNotBuilt) {
					t.Errorf("without libseccomp: %v", err)
				}
				continue
			}
			if err != nil || result.Outcome != verify.Equal {
				t.Errorf("%s for %q: %s, %v (left out: %q)", profile, names, result, err, left)
			}
			f, err := BuildReference(r)
			if err != nil || f.Program.Validate() != nil || !strings.HasPrefix(f.Compiler, "libseccomp ") {
				t.Errorf("%s for %q: %+v, %v", profile, names, f, err)
			}
			if err == nil && f.Verified != (len(left) == 0) {
				t.Errorf("%s for %q: verified %v, with %q left out", profile, names, f.Verified, left)
			}
		}
	}
}
