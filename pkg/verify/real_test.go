package verify

import (
	"os"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/bpf"
)

func readProgram(t testing.TB, name string) bpf.Program {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".bpf"))
	if err != nil {
		t.Fatal(err)
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReal(t *testing.T) {
	for _, n := range []string{"docker-runc", "docker-crun", "docker-x86_64-runc", "docker-x86_64-crun", "docker-x86_64-gvisor"} {
		p := readProgram(t, n)
		r, err := Programs(p, p, bpf.Little)
		t.Log(n, r, err, r.Effort)
		q := readProgram(t, "docker-runc")
		r, err = Programs(p, q, bpf.Little)
		t.Log(n, r, err, r.Effort)
	}
}

func BenchmarkPrograms(b *testing.B) {
	for _, n := range []string{"docker-runc", "docker-crun", "docker-x86_64-runc", "docker-x86_64-crun", "docker-x86_64-gvisor"} {
		b.Run(n, func(b *testing.B) {
			p := readProgram(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if r, err := Programs(p, p, bpf.Little); err != nil || r.Outcome != Equal {
					b.Fatal(r, err)
				}
			}
		})
	}
}
