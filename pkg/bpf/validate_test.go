package bpf

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// operations is the list of kernel/seccomp.c, seccomp_check_filter, written
// out again as the numbers that its macros have, so that a slip in the
// package's own constants shows.
var operations = []uint16{
	0x20, 0x80, 0x81, // LD W ABS, LD W LEN, LDX W LEN
	0x06, 0x16, // RET K, RET A
	0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, // ADD, SUB, MUL, DIV
	0x54, 0x5c, 0x44, 0x4c, 0xa4, 0xac, // AND, OR, XOR
	0x64, 0x6c, 0x74, 0x7c, 0x84, // LSH, RSH, NEG
	0x00, 0x01, 0x07, 0x87, 0x60, 0x61, 0x02, 0x03, // LD IMM, LDX IMM, TAX, TXA, LD MEM, LDX MEM, ST, STX
	0x05, 0x15, 0x1d, 0x35, 0x3d, 0x25, 0x2d, 0x45, 0x4d, // JA, JEQ, JGE, JGT, JSET
}

func TestValidateKnowsExactlyTheOperationsOfSeccomp(t *testing.T) {
	for code := range 1 << 16 {
		in := Instruction{Code: uint16(code), K: 0}
		switch uint16(code) {
		case ALU | DIV | K: // a zero divisor is another rule's matter
			in.K = 1
		}
		p := Program{{Code: ST}, in, Ret(RetAllow)}
		if got, want := p.Validate() == nil, slices.Contains(operations, uint16(code)); got != want {
			t.Errorf("code %#04x: accepted %v, the kernel says %v", code, got, want)
		}
	}
}

// TestValidateRules has, for every rule of bpf_check_classic,
// check_load_and_stores and seccomp_check_filter, the last program that it
// lets pass and the first one that it does not.
func TestValidateRules(t *testing.T) {
	ret := Ret(RetAllow)
	long := func(n int) Program { return slices.Repeat(Program{ret}, n) }
	st, ldMem := Instruction{Code: ST, K: 3}, Instruction{Code: LD | MEM, K: 3}
	tests := []struct {
		rule    string
		program Program
		at      int    // index of the refused instruction, or accepted
		reason  string // part of the message
	}{
		{"one instruction", long(1), accepted, ""},
		{"BPF_MAXINSNS instructions", long(4096), accepted, ""},
		{"no instruction", nil, wrongLength, "empty program"},
		{"one instruction too many", long(4097), wrongLength, "4097 instructions, the kernel's limit is 4096"},

		{"RET K at the end", Program{ret}, accepted, ""},
		{"RET A at the end", Program{{Code: RET | A}}, accepted, ""},
		{"load at the end", Program{ret, Load(0)}, 1, "last instruction must be RET"},
		{"jump at the end goes nowhere", Program{ret, JumpAlways(0)}, 1, "past the end"},

		{"load of the last word", Program{Load(60), ret}, accepted, ""},
		{"load past struct seccomp_data", Program{Load(64), ret}, 0, "offset 64"},
		{"load of an ancillary offset", Program{Load(0xfffff000), ret}, 0, "offset 4294963200"},
		{"unaligned load", Program{Load(2), ret}, 0, "offset 2"},
		{"halfword load", Program{{Code: 0x28}, ret}, 0, "does not accept"},
		{"byte load", Program{{Code: 0x30}, ret}, 0, "does not accept"},
		{"indexed load", Program{{Code: 0x40}, ret}, 0, "does not accept"},
		{"modulo", Program{{Code: 0x94, K: 2}, ret}, 0, "does not accept"},
		{"RET X", Program{{Code: RET | X}}, 0, "does not accept"},

		{"division by one", Program{{Code: ALU | DIV | K, K: 1}, ret}, accepted, ""},
		{"division by zero", Program{{Code: ALU | DIV | K}, ret}, 0, "division by zero"},
		{"division by X, whatever K", Program{{Code: ALU | DIV | X}, ret}, accepted, ""},
		{"left shift by 31", Program{{Code: ALU | LSH | K, K: 31}, ret}, accepted, ""},
		{"left shift by 32", Program{{Code: ALU | LSH | K, K: 32}, ret}, 0, "shift by more than 31"},
		{"right shift by 31", Program{{Code: ALU | RSH | K, K: 31}, ret}, accepted, ""},
		{"right shift by 32", Program{{Code: ALU | RSH | K, K: 32}, ret}, 0, "shift by more than 31"},
		{"shift by X, whatever K", Program{{Code: ALU | RSH | X, K: 99}, ret}, accepted, ""},

		{"JA to the last instruction", Program{JumpAlways(1), ret, ret}, accepted, ""},
		{"JA one too far", Program{JumpAlways(2), ret, ret}, 0, "past the end"},
		{"JA that wraps around 32 bits", Program{JumpAlways(0xffffffff), ret}, 0, "past the end"},
		{"JA whose Jt and Jf lead nowhere", Program{{Code: JMP | JA, Jt: 9, Jf: 9}, ret}, accepted, ""},
		{"branch to the last instruction", Program{Jump(JEQ, 0, 1, 1), ret, ret}, accepted, ""},
		{"true branch one too far", Program{Jump(JEQ, 0, 2, 1), ret, ret}, 0, "past the end"},
		{"false branch one too far", Program{Jump(JSET, 0, 1, 2), ret, ret}, 0, "past the end"},
		{"dead code is checked as well", Program{ret, JumpAlways(7), ret}, 1, "past the end"},

		{"M[15]", Program{{Code: ST, K: 15}, {Code: LDX | MEM, K: 15}, ret}, accepted, ""},
		{"store to M[16]", Program{{Code: ST, K: 16}, ret}, 0, "16 words"},
		{"store of X to M[16]", Program{{Code: STX, K: 16}, ret}, 0, "16 words"},
		{"load of M[16]", Program{{Code: LD | MEM, K: 16}, ret}, 0, "16 words"},
		{"load of M[16] into X", Program{{Code: LDX | MEM, K: 16}, ret}, 0, "16 words"},
		{"load before the store", Program{ldMem, st, ret}, 0, "before every path has written it"},
		{"load into X before the store", Program{{Code: LDX | MEM, K: 3}, ret}, 0, "before every path has written it"},
		{"load of another word than the stored one", Program{st, {Code: LD | MEM, K: 4}, ret}, 1, "reads M[4]"},
		{"store on both branches", Program{Jump(JEQ, 0, 0, 2), st, JumpAlways(1), st, ldMem, ret}, accepted, ""},
		{"store on the true branch only", Program{Jump(JEQ, 0, 0, 1), st, ldMem, ret}, 2, "before every path has written it"},
		{"store on the false branch only", Program{Jump(JEQ, 0, 1, 0), st, ldMem, ret}, 2, "before every path has written it"},
		{"store jumped over by JA", Program{JumpAlways(1), st, ldMem, ret}, 2, "before every path has written it"},
		{"store on one branch, the other one returns", Program{Jump(JEQ, 0, 1, 0), ret, st, ldMem, ret}, accepted, ""},
		{"what was stored before a branch is known after it", Program{st, Jump(JGT, 0, 1, 0), ret, ldMem, ret}, accepted, ""},
		// The kernel's pass goes straight on after a RET, so that a store
		// counts for dead code behind it, and a missing one does not pass.
		{"dead load behind RET, stored", Program{st, ret, ldMem, ret}, accepted, ""},
		{"dead load behind RET, not stored", Program{ret, ldMem, ret}, 1, "before every path has written it"},
		// Nothing at all leads behind a JA that nobody else jumps behind.
		{"dead load behind JA", Program{JumpAlways(1), ldMem, ret}, accepted, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			err := tt.program.Validate()
			var length *LengthError
			var instruction *InstructionError
			switch {
			case tt.at == accepted:
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			case tt.at == wrongLength:
				if !errors.As(err, &length) || length.Length != len(tt.program) {
					t.Fatalf("got %v, want a *LengthError", err)
				}
			case !errors.As(err, &instruction):
				t.Fatalf("got %v, want an *InstructionError", err)
			case instruction.Index != tt.at || instruction.Instruction != tt.program[tt.at]:
				t.Errorf("got %v, want an error at %d", err, tt.at)
			}
			if !strings.Contains(err.Error(), tt.reason) || !strings.HasPrefix(err.Error(), "bpf: ") {
				t.Errorf("message %q lacks %q", err, tt.reason)
			}
		})
	}
}

const (
	accepted    = -1
	wrongLength = -2
)
