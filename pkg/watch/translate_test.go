//go:build linux

package watch

import (
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

var translations = flag.Int("translations", 60, "how many random chains are translated")

// machine runs a translated chain in the kernel.
type machine struct {
	program *ebpf.Program
	in, out *ebpf.Map
}

func newMachine(t *testing.T, programs []bpf.Program) *machine {
	t.Helper()
	m := &machine{}
	var err error
	m.in, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: bpf.SizeOf, MaxEntries: 1})
	if errors.Is(err, os.ErrPermission) {
		t.Skip("loading programs into the kernel takes root")
	}
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("emulated: there is no bpf(2) under qemu-user")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.in.Close() })
	if m.out, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.out.Close() })
	const data, scratch = -64, -128
	chain, err := translateChain("t", programs, data, scratch)
	if err != nil {
		t.Fatal(err)
	}
	code := asm.Instructions{asm.LoadMapValue(asm.R6, m.in.FD(), 0), asm.LoadMapValue(asm.R7, m.out.FD(), 0)}
	for word := range int16(bpf.SizeOf / 8) {
		code = append(code, asm.LoadMem(asm.R0, asm.R6, 8*word, asm.DWord), asm.StoreMem(asm.RFP, data+8*word, asm.R0, asm.DWord))
	}
	code = append(code, chain...)
	code = append(code,
		asm.StoreMem(asm.R7, 0, regVerdict, asm.DWord),
		asm.StoreMem(asm.R7, 8, regCount, asm.DWord),
		asm.Mov.Imm(asm.R0, 0), asm.Return())
	m.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: "GPL", Instructions: code})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { m.program.Close() })
	return m
}

func (m *machine) run(t *testing.T, d *bpf.Data) (bpf.Return, uint64) {
	t.Helper()
	raw := make([]byte, bpf.SizeOf)
	for i, w := range d.Words(arch.Native().Endian) {
		binary.NativeEndian.PutUint32(raw[4*i:], w)
	}
	if err := m.in.Put(uint32(0), raw); err != nil {
		t.Fatal(err)
	}
	if _, err := m.program.Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
		t.Fatal(err)
	}
	var out [2]uint64
	if err := m.out.Lookup(uint32(0), &out); err != nil {
		t.Fatal(err)
	}
	return bpf.Return(out[0]), out[1]
}

// chainVerdict is what the kernel makes of a chain, by the emulator.
func chainVerdict(t *testing.T, programs []bpf.Program, d *bpf.Data) (verdict bpf.Return, count uint64) {
	t.Helper()
	verdict = bpf.RetAllow
	w := d.Words(arch.Native().Endian)
	for i := len(programs) - 1; i >= 0; i-- {
		r, n, err := programs[i].RunCount(&w)
		if err != nil {
			t.Fatal(err)
		}
		count += uint64(n)
		if int32(r.Action()) < int32(verdict.Action()) {
			verdict = r
		}
	}
	return verdict, count
}

// A translated chain gives every call the verdict that the emulator gives it,
// and counts the same instructions.
func TestTranslation(t *testing.T) {
	for seed := range uint64(*translations) {
		r := rand.New(rand.NewPCG(seed, 11))
		programs := make([]bpf.Program, 1+r.IntN(3))
		for i := range programs {
			programs[i] = bpftest.Random(r, bpftest.Style(r.IntN(2)), 1+r.IntN(60))
		}
		m := newMachine(t, programs)
		sampler := bpftest.NewSampler(arch.Native().Endian, programs...)
		for range 40 {
			d := sampler.Call(r)
			verdict, count := m.run(t, &d)
			wantVerdict, wantCount := chainVerdict(t, programs, &d)
			if verdict != wantVerdict || count != wantCount {
				t.Fatalf("seed %d: %+v: %s after %d instructions, want %s after %d\n%v", seed, d, verdict, count, wantVerdict, wantCount, programs)
			}
		}
	}
}

// The verifier takes the longest program there can be, and a whole profile.
func TestTranslationIsAccepted(t *testing.T) {
	longest := bpf.Program{bpf.Load(bpf.OffNr)}
	for i := range bpf.MaxInstructions/2 - 1 {
		longest = append(longest, bpf.Jump(bpf.JEQ, uint32(i), 0, 1), bpf.Ret(bpf.Errno(uint16(i))))
	}
	longest = append(longest, bpf.Ret(bpf.RetAllow))
	m := newMachine(t, []bpf.Program{longest})
	if verdict, count := m.run(t, &bpf.Data{Nr: 7}); verdict != bpf.Errno(7) || count != 10 {
		t.Errorf("%s after %d", verdict, count)
	}
	profile, err := spec.Builtin("builtin:docker")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := profile.Resolve(spec.Target{})
	if err != nil {
		t.Fatal(err)
	}
	docker, err := compile.Compile(policy, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	newMachine(t, []bpf.Program{docker, docker})
}
