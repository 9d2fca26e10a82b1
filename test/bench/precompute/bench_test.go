package precompute

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	gvisor "gvisor.dev/gvisor/pkg/bpf"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/precompute/precomputetest"
	"seccomp-hook/pkg/spec"
)

const (
	x86_64 = 0xc000003e
	i386   = 0x40000003
)

// programs are Docker's default profile for x86_64, x86 and x32, three times.
var programs = []struct {
	name string
	make func(testing.TB) bpf.Program
}{
	{"ours", compiled},
	{"libseccomp-linear", file("docker-libseccomp-linear.bpf")},
	{"libseccomp-tree", file("docker-libseccomp-tree.bpf")},
}

// compiled is the builtin profile as this project compiles it.
func compiled(t testing.TB) bpf.Program {
	t.Helper()
	profile, err := spec.Builtin("builtin:docker")
	if err != nil {
		t.Fatal(err)
	}
	var target spec.Target
	for _, name := range []string{"x86_64", "x86", "x32"} {
		a, _ := arch.ByName(name)
		target.Archs = append(target.Archs, a)
	}
	policy, err := profile.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	p, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// file returns a program that libseccomp 2.5.4 exported; see the README beside
// it.
func file(name string) func(testing.TB) bpf.Program {
	return func(t testing.TB) bpf.Program {
		t.Helper()
		raw, err := os.ReadFile("../../../pkg/precompute/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var p bpf.Program
		if err := p.UnmarshalBinary(raw); err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// race runs the competitors in turn, a short slice each, so that what else the
// machine does meets all of them. It reports each one's processor time for an
// operation, that of the garbage collector included, and how many times the
// first one's the others' are.
func race(b *testing.B, names []string, run ...func()) {
	const slice = 200 * time.Microsecond
	spent := make([]time.Duration, len(run))
	count := make([]int, len(run))
	for b.Loop() {
		for i, f := range run {
			start := processorTime(b)
			for n := 1; ; n *= 2 {
				for range n {
					f()
				}
				count[i] += n
				if d := processorTime(b) - start; d >= slice {
					spent[i] += d
					break
				}
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of all together: means nothing
	per := func(i int) float64 { return float64(spent[i].Nanoseconds()) / float64(count[i]) }
	for i, name := range names {
		b.ReportMetric(per(i), name+"-ns")
		if i > 0 {
			b.ReportMetric(per(i)/per(0), name+"/"+names[0])
		}
	}
}

// processorTime is what this process has used so far.
func processorTime(t testing.TB) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// tableSize is the size of both tables of Linux 6.18.
const tableSize = 470

// BenchmarkTables makes the tables of all architectures of the profile, over
// all 2^32 numbers, and compares with the loop that the kernel does: one
// emulation for each number of its native and its compat table ("kernel"), and
// the same with x32's numbers too, which the profile speaks of as well
// ("numbers").
func BenchmarkTables(b *testing.B) {
	for _, program := range programs {
		b.Run(program.name, func(b *testing.B) {
			p := program.make(b)
			loop := func(token, base uint32) {
				for nr := range uint32(tableSize) {
					precomputetest.ConstantAllow(p, base+nr, token)
				}
			}
			race(b, []string{"ranges", "kernel", "numbers"},
				func() {
					if _, err := precompute.Tables(p, x86_64, i386); err != nil {
						b.Fatal(err)
					}
				},
				func() { loop(x86_64, 0); loop(i386, 0) },
				func() { loop(x86_64, 0); loop(i386, 0); loop(x86_64, arch.X32Bit) },
			)
		})
	}
}

// BenchmarkEvaluate takes constant calls from the chain's table, and compares
// with running the program for them: from the same bpf.Data ("program"), and
// from struct seccomp_data laid out beforehand ("run"), as gVisor's interpreter
// gets it.
func BenchmarkEvaluate(b *testing.B) {
	for _, program := range programs {
		b.Run(program.name, func(b *testing.B) {
			p := program.make(b)
			chain := precompute.NewChain(bpf.Little, x86_64, i386)
			if err := chain.Append(p, 0); err != nil {
				b.Fatal(err)
			}
			theirs := gvisorProgram(b, p)
			var calls []bpf.Data
			var words []bpf.Words
			var inputs []gvisor.Input
			for nr := range uint32(tableSize) {
				d := bpf.Data{Nr: nr, Arch: x86_64}
				if chain.Evaluate(&d).Constant {
					calls = append(calls, d)
					words = append(words, d.Words(bpf.Little))
					inputs = append(inputs, input(&d))
				}
			}
			check(b, p, chain, theirs, calls, inputs)
			// One operation is all those calls.
			race(b, []string{"table", "program", "run", "gvisor"},
				func() {
					for i := range calls {
						chain.Evaluate(&calls[i])
					}
				},
				func() {
					for i := range calls {
						w := calls[i].Words(bpf.Little)
						_, _ = p.Run(&w)
					}
				},
				func() {
					for i := range words {
						_, _ = p.Run(&words[i])
					}
				},
				func() {
					for _, in := range inputs {
						_, _ = gvisor.Exec[gvisor.NativeEndian](theirs, in)
					}
				},
			)
			b.ReportMetric(float64(len(calls)), "calls")
		})
	}
}

// check asks that all three give the same verdicts.
func check(t testing.TB, p bpf.Program, chain *precompute.Chain, theirs gvisor.Program, calls []bpf.Data, inputs []gvisor.Input) {
	t.Helper()
	for i := range calls {
		w := calls[i].Words(bpf.Little)
		run, err := p.Run(&w)
		if err != nil {
			t.Fatal(err)
		}
		other, err := gvisor.Exec[gvisor.NativeEndian](theirs, inputs[i])
		if err != nil {
			t.Fatal(err)
		}
		if table := chain.Evaluate(&calls[i]).Return; table != run || uint32(table) != other {
			t.Fatalf("call %d: table %v, program %v, gVisor %#x", calls[i].Nr, table, run, other)
		}
	}
}

func gvisorProgram(t testing.TB, p bpf.Program) gvisor.Program {
	t.Helper()
	instructions := make([]gvisor.Instruction, len(p))
	for i, in := range p {
		instructions[i] = gvisor.RawInstruction(in.Code, in.Jt, in.Jf, in.K)
	}
	out, err := gvisor.Compile(instructions, false)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// input is the call as gVisor's interpreter takes it: struct seccomp_data.
func input(d *bpf.Data) gvisor.Input {
	w := d.Words(bpf.Little)
	var b []byte
	for _, word := range w {
		b = binary.NativeEndian.AppendUint32(b, word)
	}
	return b
}

// TestCompetitorsAgree runs once what the benchmarks run.
func TestCompetitorsAgree(t *testing.T) {
	for _, program := range programs {
		p := program.make(t)
		chain := precompute.NewChain(bpf.Little, x86_64, i386)
		if err := chain.Append(p, 0); err != nil {
			t.Fatal(err)
		}
		var calls []bpf.Data
		var inputs []gvisor.Input
		for nr := range uint32(tableSize) {
			for _, token := range []uint32{x86_64, i386} {
				d := bpf.Data{Nr: nr, Arch: token}
				calls = append(calls, d)
				inputs = append(inputs, input(&d))
			}
		}
		check(t, p, chain, gvisorProgram(t, p), calls, inputs)
	}
}
