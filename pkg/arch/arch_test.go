package arch

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
)

func mustFind(t *testing.T, name string) *Arch {
	t.Helper()
	a, ok := ByName(name)
	if !ok {
		t.Fatalf("no architecture %q", name)
	}
	return a
}

// TestOCINames checks that every architecture of the runtime-spec is known.
func TestOCINames(t *testing.T) {
	names := []specs.Arch{
		specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM,
		specs.ArchAARCH64, specs.ArchMIPS, specs.ArchMIPS64,
		specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64,
		specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64,
		specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC,
		specs.ArchPARISC64, specs.ArchRISCV64, specs.ArchLOONGARCH64,
		specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
	}
	for _, name := range names {
		if a, ok := ByOCI(string(name)); !ok || a.OCI != string(name) {
			t.Errorf("ByOCI(%q) = %v, %v", name, a, ok)
		}
	}
	if len(names) != len(All()) {
		t.Errorf("%d architectures, the runtime-spec has %d", len(All()), len(names))
	}
	if _, ok := ByOCI("SCMP_ARCH_VAX"); ok {
		t.Error("ByOCI knows the VAX")
	}
}

// TestTokens has the AUDIT_ARCH_* values of libseccomp's <seccomp.h>, written
// out.
func TestTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		token  uint32
		endian bpf.Endian
		bits   int
	}{
		{"x86", 0x40000003, bpf.Little, 32},
		{"x86_64", 0xc000003e, bpf.Little, 64},
		{"x32", 0xc000003e, bpf.Little, 32},
		{"arm", 0x40000028, bpf.Little, 32},
		{"aarch64", 0xc00000b7, bpf.Little, 64},
		{"loongarch64", 0xc0000102, bpf.Little, 64},
		{"m68k", 0x00000004, bpf.Big, 32},
		{"mips", 0x00000008, bpf.Big, 32},
		{"mipsel", 0x40000008, bpf.Little, 32},
		{"mips64", 0x80000008, bpf.Big, 64},
		{"mipsel64", 0xc0000008, bpf.Little, 64},
		{"mips64n32", 0xa0000008, bpf.Big, 32},
		{"mipsel64n32", 0xe0000008, bpf.Little, 32},
		{"parisc", 0x0000000f, bpf.Big, 32},
		{"parisc64", 0x8000000f, bpf.Big, 64},
		{"ppc", 0x00000014, bpf.Big, 32},
		{"ppc64", 0x80000015, bpf.Big, 64},
		{"ppc64le", 0xc0000015, bpf.Little, 64},
		{"riscv64", 0xc00000f3, bpf.Little, 64},
		{"s390", 0x00000016, bpf.Big, 32},
		{"s390x", 0x80000016, bpf.Big, 64},
		{"sh", 0x4000002a, bpf.Little, 32},
		{"sheb", 0x0000002a, bpf.Big, 32},
	} {
		a := mustFind(t, test.name)
		if a.Audit != test.token || a.Endian != test.endian || a.Bits != test.bits {
			t.Errorf("%s: token %#x, endian %d, %d bits, want %#x, %d, %d",
				test.name, a.Audit, a.Endian, a.Bits, test.token, test.endian, test.bits)
		}
	}
}

func TestByAudit(t *testing.T) {
	for _, a := range All() {
		want := a
		if a.Name == "x32" {
			want = mustFind(t, "x86_64")
		}
		if got, ok := ByAudit(a.Audit); !ok || got != want {
			t.Errorf("ByAudit(%#x) = %v, %v, want %v", a.Audit, got, ok, want)
		}
	}
	if a, ok := ByAudit(0); ok {
		t.Errorf("ByAudit(0) = %v", a)
	}
}

func TestNativeOfEveryGOARCH(t *testing.T) {
	for goarch, want := range map[string]string{
		"386": "x86", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64",
		"loong64": "loongarch64", "mips": "mips", "mipsle": "mipsel",
		"mips64": "mips64", "mips64le": "mipsel64", "ppc64": "ppc64",
		"ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
		"wasm": "", "sparc64": "",
	} {
		got := ""
		if a, ok := byGOARCH(goarch); ok {
			got = a.Name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", goarch, got, want)
		}
	}
}

// TestNumbers has calls whose number differs, one of every table's ways.
func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		arch, call string
		number     uint32
	}{
		{"x86_64", "read", 0},
		{"x86_64", "clone3", 435},
		{"x86", "socketcall", 102},
		{"x32", "read", 0x40000000},
		{"x32", "rt_sigaction", 0x40000200},
		{"arm", "set_tls", 0xf0005},
		{"aarch64", "newfstatat", 79},
		{"mips", "read", 4003},
		{"mipsel", "ipc", 4117},
		{"mips64", "read", 5000},
		{"mips64n32", "read", 6000},
		{"ppc64le", "socketcall", 102},
		{"s390", "chown32", 212},
		{"s390x", "s390_runtime_instr", 342},
		{"riscv64", "riscv_flush_icache", 259},
		{"parisc", "read", 3},
		{"sh", "cacheflush", 123},
		{"m68k", "getpagesize", 166},
	} {
		a := mustFind(t, test.arch)
		if nr, ok := a.Number(test.call); !ok || nr != test.number {
			t.Errorf("%s: %s is %d, %v, want %d", test.arch, test.call, nr, ok, test.number)
		}
		if name := a.CallName(test.number); name != test.call {
			t.Errorf("%s: %d is %q, want %q", test.arch, test.number, name, test.call)
		}
	}
	for _, test := range [][2]string{
		{"x86_64", "socketcall"}, {"aarch64", "open"}, {"x86", "accept"},
		{"mips", "unused18"}, {"riscv64", "arch_specific_syscall"},
		{"arm", "syscall_mask"}, {"x86_64", ""}, {"x86_64", "READ"}, {"x86_64", "zzz"},
	} {
		if nr, ok := mustFind(t, test[0]).Number(test[1]); ok {
			t.Errorf("%s has %q: %d", test[0], test[1], nr)
		}
	}
}

// TestTables checks that both directions of every table agree.
func TestTables(t *testing.T) {
	for _, a := range All() {
		var numbers []uint32
		for nr, c := range a.Calls() {
			numbers = append(numbers, nr)
			if got, ok := a.NumberOf(c); !ok || got != nr {
				t.Errorf("%v: NumberOf(%s) = %d, %v, want %d", a, c.Name(), got, ok, nr)
			}
			if found, ok := FindCall(c.Name()); !ok || found != c {
				t.Errorf("FindCall(%q) = %d, %v, want %d", c.Name(), found, ok, c)
			}
			if a.CallName(nr) != c.Name() {
				t.Errorf("%v: %d is %q, want %q", a, nr, a.CallName(nr), c.Name())
			}
			if nr < a.NumberBase {
				t.Errorf("%v: %s is %d, below %d", a, c.Name(), nr, a.NumberBase)
			}
		}
		if len(numbers) < 300 || !slices.IsSorted(numbers) || numbers[len(numbers)-1] != a.Max() {
			t.Errorf("%v: %d calls, sorted %v, the highest %d, want %d", a, len(numbers),
				slices.IsSorted(numbers), numbers[len(numbers)-1], a.Max())
		}
		if a.CallName(^uint32(0)) != "" || a.CallName(a.Max()+1) != "" {
			t.Errorf("%v: names past the table", a)
		}
	}
	for c := Call(1); c < CallCount; c++ {
		if (c - 1).Name() >= c.Name() {
			t.Errorf("%q comes before %q", (c - 1).Name(), c.Name())
		}
	}
}

// TestCompanions checks that the architectures that are Multiplexed are those
// with socketcall(2) and ipc(2).
func TestCompanions(t *testing.T) {
	list := Companions()
	if len(list) != 32 {
		t.Errorf("%d companions, libseccomp knows 32", len(list))
	}
	for _, a := range All() {
		for _, via := range []string{"socketcall", "ipc"} {
			if _, ok := a.Number(via); ok != a.Multiplexed {
				t.Errorf("%v: Multiplexed is %v, but it has %s: %v", a, a.Multiplexed, via, ok)
			}
		}
	}
	got := map[string][2]any{}
	for _, c := range list {
		got[c.Call.Name()] = [2]any{c.Via.Name(), c.Which}
	}
	for name, want := range map[string][2]any{
		"socket":   {"socketcall", uint32(1)},
		"sendmmsg": {"socketcall", uint32(20)},
		"semop":    {"ipc", uint32(1)},
		"shmctl":   {"ipc", uint32(24)},
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

func BenchmarkFindCall(b *testing.B) {
	for b.Loop() {
		if _, ok := FindCall("openat2"); !ok {
			b.Fatal("openat2 is gone")
		}
	}
}
