package decompile_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// native is the architecture that the programs of testdata are for.
func native(t testing.TB) *arch.Arch {
	t.Helper()
	a, _ := arch.ByName("x86_64")
	return a
}

func program(t testing.TB, file string) bpf.Program {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p bpf.Program
	if err := p.UnmarshalBinary(text); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPrograms: the programs of other compilers that the project has, nearly all of
// them Docker's default profile. What is lost is what makes them differ from
// what runc would install today: crun's and gVisor's have no -ENOSYS stub, gVisor's
// denies x32 where runc's kills, and libseccomp 2.5.4 did not know that x32 has
// map_shadow_stack.
func TestPrograms(t *testing.T) {
	want := map[string]struct{ rules, losses int }{
		"../verify/testdata/docker-x86_64-runc.bpf":           {8, 0},
		"../verify/testdata/docker-runc.bpf":                  {8, 2},
		"../verify/testdata/socketcall-runc.bpf":              {1, 0},
		"../verify/testdata/docker-crun.bpf":                  {9, 5},
		"../verify/testdata/docker-x86_64-crun.bpf":           {9, 2},
		"../verify/testdata/docker-x86_64-gvisor.bpf":         {8, 1},
		"../precompute/testdata/docker-libseccomp-linear.bpf": {9, 5},
		"../precompute/testdata/docker-libseccomp-tree.bpf":   {9, 5},
	}
	files, err := filepath.Glob("../*/testdata/*.bpf")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d programs, %d expected (%v)", len(files), len(want), err)
	}
	for _, file := range files {
		r, err := decompile.Profile(verify.OfProgram(program(t, file), bpf.Little), decompile.Options{
			Native: native(t), Flags: spec.Flags{Unset: true}, Name: file,
		})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if w := want[file]; len(r.Losses) != w.losses || len(r.Profile.Syscalls) != w.rules {
			t.Errorf("%s: %d rules and %d losses, %d and %d expected", file, len(r.Profile.Syscalls), len(r.Losses), w.rules, w.losses)
			for _, l := range r.Losses {
				t.Logf("%+v", l)
			}
		}
	}
}

// TestBuiltins: both builtins come back through our compiler, on every family of
// architectures and with every kind of capabilities, with no more rules than
// they have.
func TestBuiltins(t *testing.T) {
	for _, name := range []string{"builtin:docker", "builtin:containerd"} {
		for _, machine := range machines {
			for _, capabilities := range [][]string{spec.DefaultCapabilities(), spec.AllCapabilities(), {}} {
				archs := architectures(t, machine)
				profile, err := spec.Builtin(name)
				if err != nil {
					t.Fatal(err)
				}
				policy, err := profile.Resolve(spec.Target{Archs: archs, Capabilities: capabilities})
				if err != nil {
					t.Fatal(err)
				}
				compiled, err := compile.Compile(policy, compile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				r, err := decompile.Profile(verify.OfProgram(compiled, policy.Endian), decompile.Options{
					Native: archs[0], Flags: spec.Flags{Unset: true}, Name: name,
				})
				if err != nil {
					t.Errorf("%s %v: %v", name, machine, err)
					continue
				}
				if len(r.Losses) > 0 {
					t.Errorf("%s %v: %d losses, %+v", name, machine, len(r.Losses), r.Losses[0])
				}
				if rules := len(r.Profile.Syscalls); rules > len(profile.Syscalls) {
					t.Errorf("%s %v: %d rules, the profile has %d", name, machine, rules, len(profile.Syscalls))
				}
				if got, err := verify.Policies(policy, r.Policy); err != nil || got.Outcome != verify.Equal {
					t.Errorf("%s %v: %v %v", name, machine, got, err)
				}
			}
		}
	}
}

// x86_64 system calls that programs of the table below are about.
const (
	tokenX86_64 = 0xc000003e
	callRead    = 0
	callSocket  = 41
)

// guarded allows everything on x86_64 but what the instructions decide for a
// call.
func guarded(call uint32, body ...bpf.Instruction) bpf.Program {
	p := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, tokenX86_64, 1, 0), bpf.Ret(bpf.RetKillThread),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, 0x40000000, 0, 1), bpf.Ret(bpf.RetKillThread),
		bpf.Jump(bpf.JEQ, call, 1, 0), bpf.Ret(bpf.RetAllow),
	}
	return append(p, body...)
}

// TestLosses: what no profile says is named, with its line, and the profile
// allows no more.
func TestLosses(t *testing.T) {
	tests := []struct {
		name   string
		call   uint32
		body   []bpf.Instruction
		reason string
		line   int
		then   bpf.Return // what the profile says
	}{
		{
			"instruction pointer", callSocket,
			[]bpf.Instruction{bpf.Load(bpf.OffIP), bpf.Jump(bpf.JEQ, 0x1000, 0, 1), bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(1))},
			"it depends on the instruction pointer", 8, bpf.Errno(1),
		},
		{
			"data on ALLOW", callSocket, []bpf.Instruction{bpf.Ret(bpf.RetAllow | 7)},
			"no profile has data for ALLOW", 8, bpf.RetAllow,
		},
		{
			"errno too large", callSocket, []bpf.Instruction{bpf.Ret(bpf.Errno(5000))},
			"no profile has an errno of 5000", 8, bpf.Errno(4094),
		},
		{
			"unknown action", callSocket, []bpf.Instruction{bpf.Ret(0x00010000)},
			"it is no action that the kernel knows, which kills the process", 8, bpf.RetKillProcess,
		},
		{
			"no listener", callSocket, []bpf.Instruction{bpf.Ret(bpf.RetUserNotif)},
			"there is no listener's path", 8, bpf.Errno(38),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := guarded(test.call, test.body...)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			r, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{Native: native(t), Flags: spec.Flags{Unset: true}})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(r.Losses, func(l decompile.Loss) bool {
				return l.Token == tokenX86_64 && l.First <= test.call && test.call <= l.Last
			})
			if i < 0 {
				t.Fatalf("no loss for it in %+v", r.Losses)
			}
			l := r.Losses[i]
			if l.Reason != test.reason {
				t.Errorf("reason %q, %q expected", l.Reason, test.reason)
			}
			if _, line := decompile.Line([]bpf.Program{p}, bpf.Little, l); line != test.line {
				t.Errorf("line %d of\n%v", line, p)
			}
			call := bpf.Data{Arch: tokenX86_64, Nr: test.call}
			if got := r.Policy.Evaluate(&call); got != test.then {
				t.Errorf("the profile says %v, %v expected", got, test.then)
			}
			words := l.Call.Words(bpf.Little)
			want, err := p.Run(&words)
			if err != nil || executes(r.Policy.Evaluate(&l.Call)) > executes(want) {
				t.Errorf("%+v: more is allowed (%v)", l, err)
			}
		})
	}
}

// TestBeyondRules: calls of which a program compares arguments with each other,
// or computes with them, are named with the program's line; what the program says
// of the other calls, and of the other arguments, is in the profile.
func TestBeyondRules(t *testing.T) {
	compared := []bpf.Instruction{
		bpf.Load(bpf.OffArgs), {Code: bpf.MISC | bpf.TAX}, bpf.Load(bpf.OffArgs + 8),
		{Code: bpf.JMP | bpf.JEQ | bpf.X, Jt: 0, Jf: 1}, bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(1)),
	}
	multiplied := []bpf.Instruction{
		bpf.Load(bpf.OffArgs), {Code: bpf.MISC | bpf.TAX}, bpf.Load(bpf.OffArgs + 8), {Code: bpf.ALU | bpf.MUL | bpf.X},
		bpf.Jump(bpf.JGT, 0x1000, 1, 0), bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.RetTrap),
	}
	returned := []bpf.Instruction{
		bpf.Load(bpf.OffArgs), {Code: bpf.MISC | bpf.TAX}, bpf.Load(bpf.OffArgs + 8), {Code: bpf.ALU | bpf.ADD | bpf.X}, {Code: bpf.RET | bpf.A},
	}
	tests := []struct {
		name string
		body []bpf.Instruction
		line int
		args [][6]uint64  // calls of socket
		want []bpf.Return // what the profile says of them
	}{
		{"compared", compared, 12, [][6]uint64{{2, 2}, {2, 3}}, []bpf.Return{bpf.Errno(1), bpf.Errno(1)}},
		{"multiplied", multiplied, 13, [][6]uint64{{2, 2}, {0x1000, 0x1000}}, []bpf.Return{bpf.RetTrap, bpf.RetTrap}},
		{"returned", returned, 12, [][6]uint64{{}}, []bpf.Return{bpf.RetKillProcess}},
		{
			"compared for one value of another argument",
			append([]bpf.Instruction{bpf.Load(bpf.OffArgs + 16), bpf.Jump(bpf.JEQ, 7, 1, 0), bpf.Ret(bpf.RetAllow)}, compared...),
			15, [][6]uint64{{2, 2, 6}, {2, 3, 8}, {2, 2, 7}, {2, 3, 7}},
			[]bpf.Return{bpf.RetAllow, bpf.RetAllow, bpf.Errno(1), bpf.Errno(1)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := guarded(callSocket, test.body...)
			r, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{Native: native(t), Flags: spec.Flags{Unset: true}})
			if err != nil {
				t.Fatal(err)
			}
			losses := slices.DeleteFunc(slices.Clone(r.Losses), func(l decompile.Loss) bool { return l.Minor() || l.First == ^uint32(0) })
			if len(losses) != 1 || losses[0].First != callSocket || losses[0].Last != callSocket || losses[0].Undecided {
				t.Fatalf("losses %+v, one of socket expected", losses)
			}
			l := losses[0]
			if want := "it compares arguments with each other, or computes with them, in a way that no rules say"; l.Reason != want {
				t.Errorf("reason %q", l.Reason)
			}
			if _, line := decompile.Line([]bpf.Program{p}, bpf.Little, l); line != test.line {
				t.Errorf("line %d of\n%v", line, p)
			}
			for i, args := range test.args {
				call := bpf.Data{Arch: tokenX86_64, Nr: callSocket, Args: args}
				if got := r.Policy.Evaluate(&call); got != test.want[i] {
					t.Errorf("%v: the profile says %v, %v expected", args, got, test.want[i])
				}
				call.Nr = callRead
				if got := r.Policy.Evaluate(&call); got != bpf.RetAllow {
					t.Errorf("read: the profile says %v", got)
				}
			}
		})
	}
}

// TestArithmetic: what a program computes of arguments is a profile where a few
// comparisons say the same.
func TestArithmetic(t *testing.T) {
	// (low word of arg0 >> 4) + 1 == 3: from 32 to 47.
	p := guarded(callRead,
		bpf.Load(bpf.OffArgs), bpf.Instruction{Code: bpf.ALU | bpf.RSH | bpf.K, K: 4},
		bpf.Instruction{Code: bpf.ALU | bpf.ADD | bpf.K, K: 1},
		bpf.Jump(bpf.JEQ, 3, 0, 1), bpf.Ret(bpf.Errno(13)), bpf.Ret(bpf.RetAllow))
	r, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{Native: native(t), Flags: spec.Flags{Unset: true}})
	if err != nil {
		t.Fatal(err)
	}
	want := []spec.Syscall{{Names: []string{"read"}, Return: bpf.Errno(13), Args: []spec.Arg{{Index: 0, Op: spec.EQ, Masked: true, Value: 0xfffffff0, ValueTwo: 0x20}}}}
	if got := r.Profile.Syscalls; len(r.Losses) != 1 || r.Losses[0].First != ^uint32(0) || len(got) != 1 || got[0].Return != want[0].Return || !slices.Equal(got[0].Args, want[0].Args) {
		t.Errorf("%+v, %+v expected; %+v", got, want, r.Losses)
	}
}

// BenchmarkProgram is Docker's default profile of three architectures through
// runc and libseccomp.
func BenchmarkProgram(b *testing.B) {
	f := verify.OfProgram(program(b, "../verify/testdata/docker-runc.bpf"), bpf.Little)
	for b.Loop() {
		if _, err := decompile.Profile(f, decompile.Options{Native: native(b)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLargest is a program of 4096 instructions: a chain of comparisons, as
// a denylist of single values is.
func BenchmarkLargest(b *testing.B) {
	p := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, tokenX86_64, 1, 0), bpf.Ret(bpf.RetKillThread),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, 0x40000000, 0, 1), bpf.Ret(bpf.RetKillThread),
	}
	for nr := uint32(0); len(p) < bpf.MaxInstructions-13; nr++ {
		// For each call: of one argument, 5 values fail.
		p = append(p, bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, nr%335, 0, 11), bpf.Load(bpf.OffArgs+8*(nr%6)))
		for v := range uint32(4) {
			p = append(p, bpf.Jump(bpf.JEQ, nr+3*v, 0, 1), bpf.Ret(bpf.Errno(1)))
		}
		p = append(p, bpf.Ret(bpf.RetAllow))
	}
	for len(p) < bpf.MaxInstructions {
		p = append(p, bpf.Ret(bpf.RetAllow))
	}
	if err := p.Validate(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decompile.Profile(verify.OfProgram(p, bpf.Little), decompile.Options{Native: native(b)}); err != nil {
			b.Fatal(err)
		}
	}
}
