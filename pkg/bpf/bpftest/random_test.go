package bpftest_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
)

func TestRandomProgramsAreValid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, style := range []bpftest.Style{bpftest.Compiled, bpftest.Full} {
		for range 5000 {
			n := 1 + r.IntN(120)
			p := bpftest.Random(r, style, n)
			if len(p) != n {
				t.Fatalf("asked for %d instructions, got %d", n, len(p))
			}
			if err := p.Validate(); err != nil {
				t.Fatalf("%v\n%v", err, p)
			}
		}
	}
	for _, n := range []int{1, bpf.MaxInstructions} {
		if err := bpftest.Random(r, bpftest.Full, n).Validate(); err != nil {
			t.Errorf("%d instructions: %v", n, err)
		}
	}
}

// TestRandomCoversTheInstructionSet asks that the Full style leaves no
// operation out: 256 codes tried one by one say which the kernel accepts.
func TestRandomCoversTheInstructionSet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[uint16]int{}
	for range 2000 {
		for _, in := range bpftest.Random(r, bpftest.Full, 40) {
			seen[in.Code]++
		}
	}
	for code := range uint16(256) {
		p := bpf.Program{{Code: bpf.ST}, {Code: code, K: 4}, bpf.Ret(0), bpf.Ret(0), bpf.Ret(0), bpf.Ret(0), bpf.Ret(0)}
		if code&bpf.ClassMask == bpf.LD || code&bpf.ClassMask == bpf.LDX {
			p[1].K = 0
		}
		if valid := p.Validate() == nil; valid != (seen[code] > 0) {
			t.Errorf("%v: accepted %v, generated %d times", p[1], valid, seen[code])
		}
	}
}

func TestRandomIsDeterministic(t *testing.T) {
	a := bpftest.Random(rand.New(rand.NewPCG(5, 6)), bpftest.Full, 100)
	b := bpftest.Random(rand.New(rand.NewPCG(5, 6)), bpftest.Full, 100)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("one seed, two programs:\n%v\n%v", a, b)
	}
}

// TestCallsTakeProgramsApart asks that calls reach more than one verdict of
// most programs, without which sampling would show nothing.
func TestCallsTakeProgramsApart(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const programs = 200
	apart := 0
	for range programs {
		p := bpftest.Random(r, bpftest.Compiled, 60)
		numbers := bpftest.Constants(p)
		verdicts := map[bpf.Return]bool{}
		for range 300 {
			d := bpftest.Call(r, numbers)
			w := d.Words(bpf.Little)
			ret, err := p.Run(&w)
			if err != nil {
				t.Fatal(err)
			}
			verdicts[ret] = true
		}
		if len(verdicts) > 1 {
			apart++
		}
	}
	if apart < programs*3/4 {
		t.Errorf("calls saw two verdicts of %d programs out of %d only", apart, programs)
	}
}

// A sampler finds the one call in 2^128 that a program treats differently,
// whichever byte order and detours the program takes.
func TestSamplerFindsWhatProgramsLookFor(t *testing.T) {
	for _, e := range []bpf.Endian{bpf.Little, bpf.Big} {
		p := bpf.Program{
			bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, 0xc000003e, 0, 9),
			bpf.Load(bpf.OffNr), bpf.JumpAlways(1), bpf.Ret(bpf.RetTrap), bpf.Jump(bpf.JEQ, 321, 0, 5),
			bpf.Load(e.High(bpf.OffArgs + 8)), bpf.Mask(0xffffff00), bpf.Jump(bpf.JEQ, 0x12345600, 0, 2),
			bpf.Load(e.Low(bpf.OffIP)), bpf.Jump(bpf.JGT, 0xfffffffe, 1, 0),
			bpf.Ret(bpf.RetKillThread), bpf.Ret(bpf.RetAllow),
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(9, 10))
		s := bpftest.NewSampler(e, p)
		found := 0
		for range 20000 {
			d := s.Call(r)
			w := d.Words(e)
			if ret, err := p.Run(&w); err != nil {
				t.Fatal(err)
			} else if ret == bpf.RetAllow {
				found++
			}
		}
		if found == 0 {
			t.Errorf("byte order %d: not found", e)
		}
	}
}
