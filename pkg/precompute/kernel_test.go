package precompute_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
)

var update = flag.Bool("update", false, "write the golden files")

func kernel(t testing.TB, release string) precompute.Kernel {
	t.Helper()
	k, err := precompute.KernelFor(release, x86_64)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKernels(t *testing.T) {
	for _, test := range []struct {
		release string
		native  uint32
		want    string
		always  []uint32
	}{
		{"5.11", x86_64, "5.11 (x86_64 442, ia32 442)", nil},
		{"6.1", x86_64, "6.1 (x86_64 451, ia32 451)", nil},
		{"6.1.0-18-amd64", x86_64, "6.1 (x86_64 451, ia32 451)", nil},
		{"6.11.4", x86_64, "6.11 (x86_64 463, ia32 463)", []uint32{335}},
		{"6.12", x86_64, "6.12 (x86_64 463, ia32 463)", []uint32{335}},
		{"6.18.3+deb14", x86_64, "6.18 (x86_64 470, ia32 470)", []uint32{335, 336}},
		{"6.19", x86_64, "6.19 (x86_64 471, ia32 471)", []uint32{335, 336}},
		{"7.0", x86_64, "7.0 (x86_64 472, ia32 472)", []uint32{335, 336}},
		{"7.3", x86_64, "7.3 (x86_64 473, ia32 473)", []uint32{335, 336}},
		{"8.1", x86_64, "8.1 (x86_64 473, ia32 473)", []uint32{335, 336}},
		{"6.12", 0xc00000b7, "6.12 (aarch64 463, arm 463)", nil},
		{"6.12", 0xc00000f3, "6.12 (riscv64 463)", nil},
		{"6.12", 0x40000028, "6.12 (arm 464)", nil},
		{"6.18", i386, "6.18 (ia32 470)", nil},
	} {
		k, err := precompute.KernelFor(test.release, test.native)
		if err != nil || k.String() != test.want || !reflect.DeepEqual(k.Tables[0].Always, test.always) {
			t.Errorf("%s: %v, %v, always %v; want %s, %v", test.release, k, err, k.Tables[0].Always, test.want, test.always)
		}
	}
	for _, test := range []struct {
		release string
		native  uint32
		noCache bool
	}{
		{"5.10.0", x86_64, true},
		{"4.19", x86_64, true},
		{"6.12", 0x80000008, true}, // mips64
		{"", x86_64, false},
		{"six", x86_64, false},
	} {
		if _, err := precompute.KernelFor(test.release, test.native); err == nil || errors.Is(err, precompute.ErrNoCache) != test.noCache {
			t.Errorf("%q: %v", test.release, err)
		}
	}
}

// TestKernelsAreInTheTables asks that every table is one of an architecture
// that package arch knows, and is called as the kernel calls it.
func TestKernelsAreInTheTables(t *testing.T) {
	for _, a := range arch.All() {
		k, err := precompute.KernelFor("6.18", a.Audit)
		if errors.Is(err, precompute.ErrNoCache) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range k.Tables {
			if _, ok := arch.ByAudit(table.Token); !ok && table.Name != "ppcle" { // OCI has no 32-bit little-endian ppc
				t.Errorf("%s: no architecture has token %#x", table.Name, table.Token)
			}
		}
	}
}

// TestCacheText compares with what /proc/PID/seccomp_cache looks like.
func TestCacheText(t *testing.T) {
	p := bpf.Program{
		bpf.Load(bpf.OffArch),
		bpf.Jump(bpf.JEQ, i386, 0, 3),
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JGE, 100, 3, 0),
		allow,
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JSET, 1, 0, 1),
		deny,
		allow,
	}
	for _, release := range []string{"6.1", "6.12", "6.18"} {
		cache, err := kernel(t, release).Predict(p)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		n, err := cache.WriteTo(&text)
		if err != nil || n != int64(text.Len()) {
			t.Fatalf("%d bytes, %v; wrote %d", n, err, text.Len())
		}
		golden := "testdata/cache-" + release + ".txt"
		if *update {
			if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text.String() != string(want) {
			t.Errorf("%s: the table is not as in %s", release, golden)
		}
	}
}

func TestCacheDiff(t *testing.T) {
	k := kernel(t, "6.18")
	one, err := k.Predict(bpf.Program{allow})
	if err != nil {
		t.Fatal(err)
	}
	if d := one.Diff(one); len(d) > 0 {
		t.Errorf("no difference with itself: %v", d)
	}
	other, err := k.Predict(bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 7, 0, 3),
		bpf.Load(bpf.OffArch),
		bpf.Jump(bpf.JEQ, i386, 1, 0),
		deny,
		allow,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := one.Diff(other)
	want := []precompute.Difference{{Table: "x86_64", Nr: 7, Predicted: true, Real: false}}
	if !reflect.DeepEqual(got, want) || got[0].String() != "x86_64 7 predicted ALLOW kernel FILTER" {
		t.Errorf("%v, want %v", got, want)
	}
	if d := (precompute.Cache{}).Diff(one); len(d) != 940 {
		t.Errorf("%d differences with nothing, want one for each call", len(d))
	}
}

func TestPredictRefusesInvalidPrograms(t *testing.T) {
	_, err := kernel(t, "6.18").Predict(bpf.Program{allow}, bpf.Program{bpf.Load(2), allow})
	var at *bpf.InstructionError
	if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), "filter 1: ") {
		t.Errorf("%v", err)
	}
}

func TestCount(t *testing.T) {
	k := kernel(t, "6.18")
	x86, _ := arch.ByName("x86_64")
	x32, _ := arch.ByName("x32")
	total, inTable, always := 0, 0, 0
	for nr := range x86.Calls() {
		total++
		if nr < uint32(k.Tables[0].Size) {
			inTable++
		}
		if slices.Contains(k.Tables[0].Always, nr) {
			always++
		}
	}
	totalX32 := 0
	for range x32.Calls() {
		totalX32++
	}
	var filters []*precompute.Table
	for _, p := range []bpf.Program{
		// personality depends on an argument, mount fails.
		{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 135, 0, 2), bpf.Load(bpf.OffArgs), bpf.Jump(bpf.JEQ, 8, 2, 1), bpf.Jump(bpf.JEQ, 165, 0, 1), deny, allow},
		// mount kills, and all others are allowed in a way that the kernel does not follow.
		{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 165, 0, 1), bpf.Ret(bpf.RetKillProcess), code(bpf.LD|bpf.IMM, uint32(bpf.RetAllow)), code(bpf.RET|bpf.A, 0)},
	} {
		table, err := precompute.NewTable(p, x86_64)
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, table)
	}
	for _, test := range []struct {
		name    string
		arch    *arch.Arch
		filters []*precompute.Table
		want    precompute.Statistics
	}{
		{"none", x86, nil, precompute.Statistics{Arch: "x86_64", Cached: inTable, Constant: total, Total: total}},
		{"first", x86, filters[:1], precompute.Statistics{Arch: "x86_64", Cached: inTable - 2, Constant: total - 1, Dynamic: 1, Total: total}},
		{"second", x86, filters[1:], precompute.Statistics{Arch: "x86_64", Cached: always, Constant: total, Total: total}},
		{"both", x86, filters, precompute.Statistics{Arch: "x86_64", Cached: always, Constant: total - 1, Dynamic: 1, Total: total}},
		{"x32", x32, filters, precompute.Statistics{Arch: "x32", Constant: totalX32, Total: totalX32}},
	} {
		if got := precompute.Count(test.arch, k, test.filters...); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
