//go:build linux

package live

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/precompute"
)

func TestStatusOfThisProcess(t *testing.T) {
	s, err := ReadStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name == "" || s.Mode != mode || (s.Filters > 0) != (mode == unix.SECCOMP_MODE_FILTER) {
		t.Errorf("%+v, prctl says mode %d", s, mode)
	}
	if _, err := ReadStatus(1 << 22); !errors.Is(err, ErrNoThread) { // PID_MAX_LIMIT
		t.Errorf("%v", err)
	}
}

// records is what the BPF program writes for filters with these bitmaps.
func records(mode, count uint32, filters ...[]uint64) []byte {
	order := binary.NativeEndian
	b := order.AppendUint32(nil, mode)
	b = order.AppendUint32(b, count)
	for i, words := range filters {
		b = order.AppendUint32(b, uint32(100+i))
		b = append(b, 1, 0, 1, 0)
		b = order.AppendUint64(b, uint64(1000+i))
		for _, w := range words {
			b = order.AppendUint64(b, w)
		}
	}
	return b
}

func TestDecode(t *testing.T) {
	tables := []precompute.KernelTable{{Name: "x86_64", Size: 70}, {Name: "ia32", Size: 3}}
	r := Reader{
		kernel: precompute.Kernel{Tables: tables},
		layout: &layout{nativeWords: 2, compatWords: 1},
	}
	s, err := r.decode(records(2, 2, []uint64{1, 2, 3}, []uint64{4, 5, 6})) // the newest first
	if err != nil {
		t.Fatal(err)
	}
	filter := func(length int, words ...uint64) Filter {
		return Filter{Length: length, Log: true, Listener: true, Address: uint64(900 + length), Cache: precompute.Cache{Tables: []precompute.CacheTable{
			{KernelTable: tables[0], Allowed: words[:2]}, {KernelTable: tables[1], Allowed: words[2:]},
		}}}
	}
	want := &State{Mode: 2, Count: 2, Filters: []Filter{filter(101, 4, 5, 6), filter(100, 1, 2, 3)}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("%+v, want %+v", s, want)
	}
	if cache, ok := s.Cache(); !ok || !reflect.DeepEqual(cache, want.Filters[1].Cache) {
		t.Errorf("the newest filter's cache: %+v, %v", cache, ok)
	}

	if s, err := r.decode(records(0, 0)); err != nil || len(s.Filters) != 0 {
		t.Errorf("no filters: %+v, %v", s, err)
	} else if _, ok := s.Cache(); ok {
		t.Error("a cache without a filter")
	}
	if _, err := r.decode(nil); !errors.Is(err, ErrNoThread) {
		t.Errorf("nothing written: %v", err)
	}
	for _, n := range []int{1, 7, 9, 20} {
		if _, err := r.decode(records(2, 1, []uint64{1, 2, 3})[:n]); err == nil {
			t.Errorf("%d bytes are taken for records", n)
		}
	}
	// A kernel whose tables are smaller than its release says.
	r.kernel.Tables[0].Size = 129
	if _, err := r.decode(records(2, 1, []uint64{1, 2, 3})); err == nil {
		t.Error("a table of 129 bits in two words")
	}
}

// TestFindMember goes through anonymous structs, as task_struct is made of, and
// through typedefs.
func TestFindMember(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4}
	words := &btf.Array{Index: number, Type: &btf.Int{Name: "unsigned long", Size: 8}, Nelems: 8}
	inner := &btf.Struct{Name: "seccomp", Size: 80, Members: []btf.Member{
		{Name: "mode", Type: number},
		{Name: "cache", Type: &btf.Typedef{Name: "bitmap", Type: words}, Offset: 8 * 8},
	}}
	task := &btf.Struct{Name: "task_struct", Size: 200, Members: []btf.Member{
		{Name: "thread_info", Type: number},
		{Type: &btf.Union{Size: 100, Members: []btf.Member{
			{Name: "other", Type: number},
			{Type: &btf.Struct{Size: 100, Members: []btf.Member{{Name: "seccomp", Type: &btf.Const{Type: inner}, Offset: 16 * 8}}}},
		}}, Offset: 40 * 8},
	}}
	var b btf.Builder
	if _, err := b.Add(task); err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []string
		want member
	}{
		{[]string{"task_struct", "thread_info"}, member{}},
		{[]string{"task_struct", "other"}, member{offset: 40}},
		{[]string{"task_struct", "seccomp", "mode"}, member{offset: 56}},
		{[]string{"task_struct", "seccomp", "cache"}, member{offset: 64, words: 8}},
	} {
		if got, err := find(spec, test.path...); err != nil || got != test.want {
			t.Errorf("%v: %+v, %v, want %+v", test.path, got, err, test.want)
		}
	}
	for _, path := range [][]string{{"seccomp_filter", "cache"}, {"task_struct", "filter"}, {"task_struct", "seccomp", "filter_count"}, {"task_struct", "other", "mode"}} {
		if _, err := find(spec, path...); !errors.Is(missing(err), ErrKernelTooOld) {
			t.Errorf("%v: %v", path, err)
		}
	}
}

func TestReasons(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES} {
		for _, err := range []error{errno, fmt.Errorf("load: %w (MEMLOCK may be too low)", errno)} {
			got := permission(err, "CAP_X")
			if want := "permission denied, it takes CAP_X: " + errno.Error(); !errors.Is(got, ErrPermission) || !errors.Is(got, errno) || got.Error() != want {
				t.Errorf("%v is %v, want %s", err, got, want)
			}
		}
	}
	if got := permission(unix.EINVAL, "CAP_X"); errors.Is(got, ErrPermission) || !errors.Is(got, unix.EINVAL) {
		t.Errorf("EINVAL is %v", got)
	}
}

// inspection has every line that there is.
var inspection = Inspection{
	PID: 42, Name: "sh", Mode: 2, NoNewPrivs: true, Kernel: "6.18",
	Filters: []InspectedFilter{
		{Index: 0, Length: 2, SHA256: "aa", Flags: []string{"log", "listener"}, Store: "builtin:docker",
			Statistics: []precompute.Statistics{{Arch: "x86_64", Cached: 1, Constant: 2, Dynamic: 3, Total: 5}},
			Program:    []string{"0: a = nr", "1: return ALLOW"}},
		{Index: 1, Length: 1, SHA256: "bb", Statistics: []precompute.Statistics{{Arch: "x86_64", Constant: 5, Total: 5}}},
	},
	Statistics: []precompute.Statistics{{Arch: "x86_64", Constant: 2, Dynamic: 3, Total: 5}},
	Cache:      Agreement{Differences: []string{"x86_64 39 predicted ALLOW kernel FILTER"}},
}

func TestInspectionText(t *testing.T) {
	const want = `process 42 (sh): seccomp mode 2, 2 filters, no_new_privs true, kernel 6.18

filter 0: 2 instructions, sha256 aa
  from the store: builtin:docker
  flags: log, listener
  x86_64       5 calls: 1 cached, 2 constant, 3 dynamic
  0: a = nr
  1: return ALLOW

filter 1: 1 instruction, sha256 bb
  x86_64       5 calls: 0 cached, 5 constant, 0 dynamic

all filters together:
  x86_64       5 calls: 0 cached, 2 constant, 3 dynamic

kernel's cache: 1 difference
  x86_64 39 predicted ALLOW kernel FILTER
`
	var got strings.Builder
	if err := inspection.WriteText(&got); err != nil || got.String() != want {
		t.Errorf("%v:\n%s\nwant\n%s", err, got.String(), want)
	}
	for _, test := range []struct {
		cache Agreement
		want  string
	}{
		{Agreement{Agrees: true}, "\nkernel's cache: as predicted\n"},
		{Agreement{Unavailable: "live: load BPF program: permission denied"}, "\nkernel's cache: not read: live: load BPF program: permission denied\n"},
	} {
		in := inspection
		in.Cache = test.cache
		got.Reset()
		if err := in.WriteText(&got); err != nil || !strings.HasSuffix(got.String(), test.want) {
			t.Errorf("%+v: %v\n%s", test.cache, err, got.String())
		}
	}
}

func TestInspectionJSON(t *testing.T) {
	raw, err := json.Marshal(inspection)
	if err != nil {
		t.Fatal(err)
	}
	var back Inspection
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(back, inspection) {
		t.Errorf("%v: %s", err, raw)
	}
	for _, name := range []string{`"pid":42`, `"noNewPrivs":true`, `"sha256":"aa"`, `"store":"builtin:docker"`, `"cached":1`, `"agrees":false`} {
		if !strings.Contains(string(raw), name) {
			t.Errorf("no %s in %s", name, raw)
		}
	}
}
