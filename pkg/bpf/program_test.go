package bpf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMarshalBinary(t *testing.T) {
	p := Program{Load(4), Jump(JEQ, 0xc000003e, 1, 2), Ret(RetAllow), Ret(RetKillThread), Ret(Errno(1))}
	// struct sock_filter, as a little-endian machine has it in memory.
	const raw = "2000000004000000" + "150001023e0000c0" + "060000000000ff7f" + "0600000000000000" + "0600000001000500"
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != raw {
		t.Errorf("got  %s\nwant %s", got, raw)
	}
	var q Program
	if err := q.UnmarshalBinary(b); err != nil || !slices.Equal(p, q) {
		t.Errorf("got %v (%v)", q, err)
	}
	if got := hex.EncodeToString(digest(p)); got != "9564dcdba900abede4b15f66627ee039011a90fdeab902c2782a2b80eaf2984a" {
		t.Errorf("digest %s", got)
	}
}

func digest(p Program) []byte { d := p.Digest(); return d[:] }

func TestUnmarshalBinaryErrors(t *testing.T) {
	var p Program
	if err := p.UnmarshalBinary(make([]byte, 15)); err == nil {
		t.Error("half an instruction was accepted")
	}
	var length *LengthError
	if err := p.UnmarshalBinary(make([]byte, 8*(MaxInstructions+1))); !errors.As(err, &length) || length.Length != MaxInstructions+1 {
		t.Errorf("too long: got %v", err)
	}
	if p != nil {
		t.Error("a failed read changed the program")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("7 bytes"))
	f.Add(slices.Repeat([]byte{0x06, 0, 0, 0, 0, 0, 0xff, 0x7f}, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Program
		if err := p.UnmarshalBinary(b); err != nil {
			return
		}
		again, err := p.MarshalBinary()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("%x came back as %x (%v)", b, again, err)
		}
		if lines := bytes.Count([]byte(p.String()), []byte("\n")); lines != len(p) {
			t.Errorf("%d instructions, %d lines", len(p), lines)
		}
	})
}

// FuzzValidateRun: what Validate accepts, Run carries out in at most as many
// steps as there are instructions; what it refuses does not crash Run.
func FuzzValidateRun(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		b := make([]byte, 8*(1+r.IntN(12)))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		for i := 0; i < len(b); i += 8 { // mostly real operations, short jumps
			b[i], b[i+1] = byte(operations[r.IntN(len(operations))]), 0
			b[i+2], b[i+3] = b[i+2]%4, b[i+3]%4
		}
		f.Add(b, uint32(r.IntN(400)), r.Uint64())
	}
	f.Fuzz(func(t *testing.T, b []byte, nr uint32, arg uint64) {
		var p Program
		if p.UnmarshalBinary(b) != nil {
			return
		}
		d := Data{Nr: nr, Arch: 0xc000003e, IP: arg >> 7, Args: [6]uint64{arg, arg >> 32, ^arg, nr6(nr), 0, arg * 3}}
		valid := p.Validate()
		for _, e := range []Endian{Little, Big} {
			w := d.Words(e)
			_, executed, err := p.RunCount(&w)
			if valid == nil && err != nil {
				t.Errorf("valid program failed: %v\n%v", err, p)
			}
			if executed > len(p) || (valid == nil && executed == 0) {
				t.Errorf("%d steps in %d instructions\n%v", executed, len(p), p)
			}
		}
	})
}

func nr6(nr uint32) uint64 { return uint64(nr) * 0x1_0000_0001 }
