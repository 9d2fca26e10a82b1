package runtime

import (
	"encoding/binary"
	"slices"
	"testing"

	"seccomp-hook/pkg/filter"
)

// madeReady returns a ready filter as ready writes it.
func madeReady(t testing.TB) []byte {
	t.Helper()
	const seccomp = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO"}]}`
	f, err := filter.Build(filter.Request{Profile: "config.json", Text: []byte(seccomp), Seccomp: true})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	key := "program 1\nkernel 6.18.5\nconfiguration none\nruntime runc\nseccomp 95\n" + seccomp
	r := readyFilter{key: key, filter: f, stored: stored, crun: true}
	return r.encode(filter.Hit)
}

// What encode writes is read again; what is changed, cut off or longer is not.
func TestParseReady(t *testing.T) {
	text := madeReady(t)
	r, err := ParseReady(text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kernel != "6.18.5" || r.Runtime != "runc" || !r.Crun || len(r.Seccomp) != 95 || r.Seccomp[0] != '{' || !slices.Equal(r.Program, r.Filter.Program) {
		t.Errorf("%+v", r)
	}
	for i := range text {
		changed := slices.Clone(text)
		changed[i] ^= 1
		if _, err := ParseReady(changed); err == nil {
			t.Errorf("with another byte %d it is a ready filter", i)
		}
		if _, err := ParseReady(text[:i]); err == nil {
			t.Errorf("%d bytes of it are a ready filter", i)
		}
	}
	if _, err := ParseReady(append(text, 0)); err == nil {
		t.Error("with a byte more it is a ready filter")
	}
}

func FuzzParseReady(f *testing.F) {
	f.Add(madeReady(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		// The sum put right, so that the parts are looked at.
		if len(text) > len(readyMagic)+8 {
			copy(text, readyMagic)
			copy(text[len(readyMagic):], sumOf(text[len(readyMagic)+8:]))
		}
		if r, err := ParseReady(text); err == nil && r.Filter == nil {
			t.Error("no filter and no error")
		}
	})
}

func sumOf(text []byte) []byte { return binary.NativeEndian.AppendUint64(nil, hash(string(text))) }
