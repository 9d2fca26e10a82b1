//go:build !libseccomp

package reference_test

import (
	"errors"
	"testing"

	"seccomp-hook/pkg/reference"
)

func TestNotBuilt(t *testing.T) {
	_, compile := reference.Compile(nil, nil)
	_, listing := reference.Listing(nil, nil)
	_, differing := reference.Differing(nil)
	_, version := reference.Version()
	for _, err := range []error{compile, listing, differing, version} {
		if !errors.Is(err, reference.ErrNotBuilt) {
			t.Error(err)
		}
	}
}
