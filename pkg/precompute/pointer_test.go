package precompute_test

import (
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
)

// TestPointed: only the calls for which the program gets to the instruction
// pointer pay for it, and only where nothing before it cost the cache already.
func TestPointed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program bpf.Program
		load    int
		want    string
	}{
		{"not at all", bpf.Program{bpf.Load(bpf.OffArgs), allow}, -1, "-"},
		{"all calls, low half", bpf.Program{bpf.Load(bpf.OffIP), allow}, 0, "0-10"},
		{"all calls, high half", bpf.Program{bpf.Load(bpf.OffNr), bpf.Load(bpf.OffIP + 4), allow}, 1, "0-10"},
		{"one call", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 3, 0, 1), bpf.Load(bpf.OffIP), allow}, 2, "3"},
		{"after an argument", bpf.Program{bpf.Load(bpf.OffArgs), bpf.Load(bpf.OffIP), allow}, 1, "-"},
		{"never reached", bpf.Program{allow, bpf.Load(bpf.OffIP), allow}, 1, "-"},
	} {
		table, err := precompute.NewTable(tt.program, x86_64)
		if err != nil {
			t.Fatal(err)
		}
		if load, pointed := precompute.PointerLoad(tt.program), table.Pointed(0, 10).String(); load != tt.load || pointed != tt.want {
			t.Errorf("%s: instruction %d, calls %q; want %d, %q", tt.name, load, pointed, tt.load, tt.want)
		}
	}
}
