package precompute_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/precompute"
)

func TestTablesSurviveEncoding(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 4))
	for range 500 {
		p := bpftest.Random(r, bpftest.Full, 1+r.IntN(80))
		table, err := precompute.NewTable(p, x86_64)
		if err != nil {
			t.Fatal(err)
		}
		b, err := table.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		back, err := precompute.DecodeTable(b, p)
		if err != nil {
			t.Fatalf("%v\n%v", err, p)
		}
		if !reflect.DeepEqual(back, table) {
			t.Fatalf("%v came back as %v\n%v", ranges(table), ranges(back), p)
		}
	}
}

// TestEncodingIsSmall holds the limit for the profile that most containers run
// under: 4 KiB an architecture.
func TestEncodingIsSmall(t *testing.T) {
	for _, token := range []uint32{x86_64, i386} {
		table, err := precompute.NewTable(load(t, "docker-libseccomp-linear.bpf"), token)
		if err != nil {
			t.Fatal(err)
		}
		b, err := table.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 4096 || table.Size() > 4096 {
			t.Errorf("table of %#x: %d bytes encoded, %d in memory", token, len(b), table.Size())
		}
	}
}

// damage returns b with one thing wrong.
func damage(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	switch r.IntN(3) {
	case 0:
		return b[:r.IntN(len(b))]
	case 1:
		return append(b, 0)
	default:
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	}
}

// FuzzDecodeTable asks that whatever decodes is a table: it covers all numbers,
// its reasons name instructions of the program, and it encodes to the same
// bytes.
func FuzzDecodeTable(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 4))
	p := load(f, "docker-libseccomp-tree.bpf")
	table, err := precompute.NewTable(p, x86_64)
	if err != nil {
		f.Fatal(err)
	}
	b, err := table.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for range 200 {
		f.Add(damage(r, b))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := precompute.DecodeTable(b, p)
		if err != nil {
			return
		}
		checkCover(t, table)
		for r := range table.Ranges() {
			_ = table.Why(table.Lookup(r.First))
		}
		if again, err := table.MarshalBinary(); err != nil || !slices.Equal(again, b) {
			t.Errorf("%x decodes, and encodes as %x, %v", b, again, err)
		}
	})
}

func TestDecodeTableOfAnotherProgram(t *testing.T) {
	long := load(t, "docker-libseccomp-tree.bpf")
	table, err := precompute.NewTable(long, x86_64)
	if err != nil {
		t.Fatal(err)
	}
	b, err := table.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := precompute.DecodeTable(b, bpf.Program{allow}); err == nil {
		t.Error("a table that names instruction 100 is accepted for a program of one")
	}
}
