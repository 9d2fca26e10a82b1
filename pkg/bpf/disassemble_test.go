package bpf_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A filter of three lines, as a compiler would make it.
func ExampleProgram_String() {
	p := bpf.Program{
		bpf.Load(bpf.OffArch),
		bpf.Jump(bpf.JEQ, 0xc000003e, 1, 0),
		bpf.Ret(bpf.RetKillThread),
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 41, 0, 2),
		bpf.Load(bpf.Little.Low(bpf.OffArgs)),
		bpf.Jump(bpf.JEQ, 40, 1, 0),
		bpf.Ret(bpf.RetAllow),
		bpf.Ret(bpf.Errno(1)),
	}
	os.Stdout.WriteString(p.String())
	// Output:
	// 0: a = arch
	// 1: if a == 0xc000003e goto 3 else 2
	// 2: return KILL_THREAD
	// 3: a = nr
	// 4: if a == 0x29 goto 5 else 7
	// 5: a = args[0][0]
	// 6: if a == 0x28 goto 8 else 7
	// 7: return ALLOW
	// 8: return ERRNO(1)
}

// every holds each operation of seccomp once, each word of the data, and some
// that no kernel accepts.
func every() bpf.Program {
	p := bpf.Program{}
	for off := uint32(0); off <= bpf.SizeOf; off += 4 {
		p = append(p, bpf.Load(off))
	}
	p = append(p, bpf.Load(3))
	for code := range uint16(256) {
		in := bpf.Instruction{Code: code, Jt: 1, Jf: 2, K: 12}
		if code != bpf.LD|bpf.W|bpf.ABS && !strings.HasPrefix(in.String(), "invalid") {
			p = append(p, in)
		}
	}
	const loadByte, modulo, retX = 0x30, 0x94, 0x0e
	return append(p,
		bpf.Instruction{Code: loadByte, K: 4},
		bpf.Instruction{Code: modulo, K: 4},
		bpf.Instruction{Code: retX},
		bpf.Instruction{Code: 0xfff6, Jt: 255, K: 0xffffffff},
		bpf.JumpAlways(0xffffffff))
}

func TestDisassemblyOfEveryOperation(t *testing.T) {
	program := every()
	var alone strings.Builder
	for _, in := range program {
		alone.WriteString(in.String() + "\n")
	}
	for name, got := range map[string]string{"program.txt": program.String(), "instructions.txt": alone.String()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not what the disassembler says (go test -update writes it):\n%s", path, got)
		}
	}
}

// No two instructions that the kernel accepts and tells apart look the same.
func TestDisassemblyIsUnambiguous(t *testing.T) {
	seen := map[string]bpf.Instruction{}
	for code := range uint16(256) {
		for _, in := range []bpf.Instruction{{Code: code, Jt: 1, Jf: 0, K: 4}, {Code: code, Jt: 0, Jf: 1, K: 4}, {Code: code, Jt: 1, Jf: 0, K: 8}} {
			text := in.String()
			other, known := seen[text]
			if known && other.Code != in.Code {
				t.Errorf("%#v and %#v are both %q", other, in, text)
			}
			seen[text] = in
		}
	}
}
