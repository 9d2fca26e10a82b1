package precompute_test

import (
	"os"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/precompute/precomputetest"
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

func BenchmarkTables(b *testing.B) {
	for _, name := range []string{"docker-libseccomp-linear.bpf", "docker-libseccomp-tree.bpf"} {
		p := load(b, name)
		b.Run(name+"/ranges", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := precompute.Tables(p, x86_64, i386); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/validate", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Validate(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/loop940", func(b *testing.B) {
			for b.Loop() {
				for _, token := range []uint32{x86_64, i386} {
					for nr := range uint32(470) {
						precomputetest.ConstantAllow(p, nr, token)
					}
				}
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, name := range []string{"docker-libseccomp-linear.bpf", "docker-libseccomp-tree.bpf"} {
		p := load(b, name)
		c := chain(b, p)
		var calls []bpf.Data
		for nr := range uint32(300) {
			d := bpf.Data{Nr: nr, Arch: x86_64}
			if c.Evaluate(&d).Constant {
				calls = append(calls, d)
			}
		}
		b.Run(name+"/table", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if i == len(calls) { i = 0 }
				c.Evaluate(&calls[i])
			}
		})
		b.Run(name+"/program", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if i == len(calls) { i = 0 }
				w := calls[i].Words(bpf.Little)
				p.Run(&w)
			}
		})
	}
}
