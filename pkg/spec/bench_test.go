package spec_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"seccomp-hook/pkg/spec"
)

func BenchmarkParseDocker(b *testing.B) {
	text, err := os.ReadFile("builtin/docker.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := spec.Parse(text, "docker.json"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolveDocker(b *testing.B) {
	benchmarkResolve(b, "builtin/docker.json")
}

func benchmarkResolve(b *testing.B, file string) {
	p, err := spec.Load(file)
	if err != nil {
		b.Fatal(err)
	}
	target := spec.Target{Native: archs(b, "x86_64")[0]}
	for b.Loop() {
		if _, err := p.Resolve(target); err != nil {
			b.Fatal(err)
		}
	}
}

// manyRules is a profile of n rules, each with arguments.
func manyRules(n int) string {
	names := []string{"read", "socket", "ioctl", "fcntl", "prctl", "clone", "mmap", "mprotect", "bind", "semop"}
	var b strings.Builder
	b.WriteString(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"names": [%q], "action": "SCMP_ACT_ALLOW", "args": [
			{"index": 1, "value": %d, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": %d, "op": "SCMP_CMP_GE"}]}`,
			names[i%len(names)], i, 3*i)
	}
	b.WriteString("]}")
	return b.String()
}

// manyNames is a profile with n names, most of them again and again, some
// unknown.
func manyNames(n int) string {
	var b strings.Builder
	b.WriteString(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": ["read"`)
	for i := range n {
		fmt.Fprintf(&b, ",%q", []string{"write", "socket", "openat2", "clone", "nothing"}[i%5])
	}
	b.WriteString("]}]}")
	return b.String()
}

func BenchmarkLarge(b *testing.B) {
	for name, text := range map[string]string{
		"2000 rules":    manyRules(2000),
		"100000 names":  manyNames(100000),
		"100000 blanks": strings.Repeat(" ", 100000) + `{"syscalls": []}`,
	} {
		b.Run(name, func(b *testing.B) {
			target := spec.Target{Archs: archs(b, "x86_64", "x86", "x32")}
			for b.Loop() {
				p, err := spec.Parse([]byte(text), "large")
				if err != nil {
					b.Fatal(err)
				}
				if p.Disabled {
					continue
				}
				if _, err := p.Resolve(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
