package precompute_test

import (
	"os"
	"testing"

	"seccomp-hook/pkg/bpf"
)

func load(t testing.TB, name string) bpf.Program {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	return p
}
