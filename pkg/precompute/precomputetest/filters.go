package precomputetest

import "seccomp-hook/pkg/bpf"

// Filter is a filter of which it is known, by the kernel's source and by
// reading a kernel's tables, which of the numbers 0 to 469 it makes a kernel
// cache. Sets are as precompute.Set writes them.
type Filter struct {
	Name           string
	Program        bpf.Program
	Native, Compat string // cached, of x86_64 and of i386
	Constant       string // of x86_64: one action, whatever the arguments are
	Why            string // why number 7 of x86_64 is not cached, "" where it is
}

const (
	all  = "0-469"
	none = "-"
)

// Filters has every way in which a filter gets into the cache or does not.
var Filters = []Filter{
	{"allow", program(allow), all, all, all, ""},
	{"allow with data", program(bpf.Ret(bpf.RetAllow | 1)), none, none, all, "action ALLOW(1) has data"},
	{"log", program(bpf.Ret(bpf.RetLog)), none, none, all, "action LOG"},
	{"errno", program(bpf.Ret(bpf.Errno(1))), none, none, all, "action ERRNO(1)"},
	{"kill", program(bpf.Ret(bpf.RetKillThread)), none, none, all, "action KILL_THREAD"},

	// Instructions that the kernel's emulator follows.
	{"A starts at 0", program(bpf.Jump(bpf.JEQ, 0, 0, 1), allow, deny), all, all, all, ""},
	{"one number", program(nr, bpf.Jump(bpf.JEQ, 7, 0, 1), deny, allow), "0-6,8-469", "0-6,8-469", all, "action ERRNO(1)"},
	{"greater", program(nr, bpf.Jump(bpf.JGT, 7, 0, 1), allow, deny), "8-469", "8-469", all, "action ERRNO(1)"},
	{"greater or equal", program(nr, bpf.Jump(bpf.JGE, 7, 0, 1), allow, deny), "7-469", "7-469", all, ""},
	{"x32 guard", program(nr, bpf.Jump(bpf.JGE, 0x40000000, 0, 1), deny, allow), all, all, all, ""},
	{"a bit", program(nr, bpf.Jump(bpf.JSET, 0x100, 0, 1), allow, deny), "256-469", "256-469", all, "action ERRNO(1)"},
	{"mask", program(nr, bpf.Mask(0xfff0), bpf.Jump(bpf.JEQ, 0x10, 0, 1), deny, allow), "0-15,32-469", "0-15,32-469", all, ""},
	{"goto", program(bpf.JumpAlways(1), deny, allow), all, all, all, ""},
	{"architecture", program(token, bpf.Jump(bpf.JEQ, 0xc000003e, 1, 0), deny, allow), all, none, all, ""},
	{"the other architecture", program(token, bpf.Jump(bpf.JEQ, 0x40000003, 1, 0), deny, allow), none, all, all, "action ERRNO(1)"},

	// Only the path that the number takes counts.
	{"argument on another path", program(nr, bpf.Jump(bpf.JEQ, 8, 0, 3), arg, bpf.Jump(bpf.JEQ, 1, 0, 1), deny, allow), "0-7,9-469", "0-7,9-469", "0-7,9-469", ""},
	{"dead code", program(bpf.JumpAlways(2), arg, bpf.Instruction{Code: bpf.RET | bpf.A}, allow), all, all, all, ""},

	// Instructions that it does not follow, even where the value is not used.
	{"argument, decisive", program(arg, bpf.Jump(bpf.JEQ, 1, 0, 1), deny, allow), none, none, none, "instruction 0: a = args[0][0]"},
	{"argument, not used", program(arg, allow), none, none, all, "instruction 0: a = args[0][0]"},
	{"argument, overwritten", program(arg, nr, allow), none, none, all, "instruction 0: a = args[0][0]"},
	{"instruction pointer", program(bpf.Load(bpf.OffIP), allow), none, none, all, "instruction 0: a = ip[0]"},
	{"return A", program(bpf.Instruction{Code: bpf.LD | bpf.IMM, K: uint32(bpf.RetAllow)}, bpf.Instruction{Code: bpf.RET | bpf.A}), none, none, all, "instruction 0: a = 0x7fff0000"},
	{"return A alone", program(bpf.Instruction{Code: bpf.RET | bpf.A}), none, none, all, "instruction 0: return a"},
	{"constant into A", program(bpf.Instruction{Code: bpf.LD | bpf.IMM}, allow), none, none, all, "instruction 0: a = 0x0"},
	{"length into A", program(bpf.Instruction{Code: bpf.LD | bpf.W | bpf.LEN}, allow), none, none, all, "instruction 0: a = len"},
	{"constant into X", program(bpf.Instruction{Code: bpf.LDX | bpf.IMM}, allow), none, none, all, "instruction 0: x = 0x0"},
	{"length into X", program(bpf.Instruction{Code: bpf.LDX | bpf.W | bpf.LEN}, allow), none, none, all, "instruction 0: x = len"},
	{"A into X", program(bpf.Instruction{Code: bpf.MISC | bpf.TAX}, allow), none, none, all, "instruction 0: x = a"},
	{"X into A", program(bpf.Instruction{Code: bpf.MISC | bpf.TXA}, allow), none, none, all, "instruction 0: a = x"},
	{"A into memory", program(bpf.Instruction{Code: bpf.ST}, allow), none, none, all, "instruction 0: M[0] = a"},
	{"X into memory", program(bpf.Instruction{Code: bpf.STX}, allow), none, none, all, "instruction 0: M[0] = x"},
	{"addition", program(bpf.Instruction{Code: bpf.ALU | bpf.ADD, K: 1}, allow), none, none, all, "instruction 0: a += 0x1"},
	{"shift", program(nr, bpf.Instruction{Code: bpf.ALU | bpf.RSH, K: 1}, allow), none, none, all, "instruction 1: a >>= 0x1"},
	{"negation", program(bpf.Instruction{Code: bpf.ALU | bpf.NEG}, allow), none, none, all, "instruction 0: a = -a"},
	{"mask in X", program(bpf.Instruction{Code: bpf.ALU | bpf.AND | bpf.X}, allow), none, none, all, "instruction 0: a &= x"},
	{"comparison with X", program(bpf.Instruction{Code: bpf.JMP | bpf.JEQ | bpf.X}, allow), none, none, all, "instruction 0: if a == x goto +0 else +0"},
}

var (
	allow = bpf.Ret(bpf.RetAllow)
	deny  = bpf.Ret(bpf.Errno(1))
	nr    = bpf.Load(bpf.OffNr)
	token = bpf.Load(bpf.OffArch)
	arg   = bpf.Load(bpf.OffArgs)
)

func program(p ...bpf.Instruction) bpf.Program { return p }
