//go:build libseccomp && !integration

package differential

import (
	"os"
	"testing"
)

func runTests(m *testing.M) { os.Exit(m.Run()) }
