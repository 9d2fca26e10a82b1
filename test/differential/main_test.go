//go:build libseccomp

package differential

import (
	"flag"
	"os"
	"testing"
)

var (
	profiles = flag.Int("profiles", 500, "how many random profiles to compare, over all kinds of rules and architectures")
	seed     = flag.Uint64("seed", 1, "where random profiles begin")
	update   = flag.Bool("update", false, "write testdata anew")
)

func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		work(os.Stdin, os.Stdout)
		return
	}
	runTests(m)
}
