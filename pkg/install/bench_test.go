//go:build linux

package install

import (
	"testing"
	"time"

	"seccomp-hook/pkg/bpf"
)

// BenchmarkInstall installs a program of the size of Docker's default profile
// into a process with four threads, from the start of the installer process to
// its answer, and says where the time goes.
func BenchmarkInstall(b *testing.B) {
	f := Filter{Program: make(bpf.Program, 0, 250)}
	for i := range uint32(124) {
		f.Program = append(f.Program, bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 0x10000+i, 1, 0))
	}
	f.Program = append(f.Program, bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetAllow))
	var seize, attach time.Duration
	for b.Loop() {
		b.StopTimer()
		v := newVictim(b, "init")
		b.StartTimer()
		i, err := Start(Command{}, v.pid())
		if err != nil {
			b.Fatal(err)
		}
		result, err := i.Install(b.Context(), request(f))
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		seize += result.Seize
		attach += result.Attach
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
		b.StartTimer()
	}
	b.ReportMetric(float64(seize.Microseconds())/float64(b.N), "seize-µs/op")
	b.ReportMetric(float64(attach.Microseconds())/float64(b.N), "attach-µs/op")
}
