//go:build libseccomp

package reference

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
)

var update = flag.Bool("update", false, "write testdata anew")

// The tables of pkg/arch, which are generated from golang.org/x/sys/unix, have
// the numbers that libseccomp's have, on every architecture that both know. What
// only one of them has is written down: here calls newer than libseccomp 2.5.4,
// there calls that the kernel's headers never had or have no more.
func TestTables(t *testing.T) {
	var got bytes.Buffer
	for _, a := range arch.All() {
		theirs, err := numbers(a)
		if err != nil {
			fmt.Fprintf(&got, "%v: not in libseccomp\n", a)
			continue
		}
		var here, there []string
		ours := map[string]uint32{}
		for nr, c := range a.Calls() {
			name := c.Name()
			ours[name] = nr
			switch number, ok := theirs[name]; {
			case !ok:
				here = append(here, name)
			case number != nr:
				t.Errorf("%v: %s is %d here and %d in libseccomp", a, name, nr, number)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			if _, ok := ours[name]; !ok {
				there = append(there, name)
			}
		}
		slices.Sort(here)
		fmt.Fprintf(&got, "%v: %d calls in both\n\there: %s\n\tlibseccomp: %s\n", a, len(ours)-len(here), strings.Join(here, " "), strings.Join(there, " "))
	}
	path := filepath.Join("testdata", "tables.golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the tables differ otherwise than %s says:\n%s", path, got.Bytes())
	}
}
