package filter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// sample is a Filter with every field set.
func sample() *Filter {
	program := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 39, 0, 1),
		bpf.Ret(bpf.Errno(1)),
		bpf.Ret(bpf.RetAllow),
	}
	tables, err := precompute.Tables(program, 0xc000003e, 0x40000003)
	if err != nil {
		panic(err)
	}
	return &Filter{
		Program:       program,
		Tables:        tables,
		Flags:         spec.Flags{Log: true, Unset: true},
		Listener:      &Listener{Path: "/run/agent.sock", Metadata: "a\x00b"},
		Profile:       "/etc/seccomp-hook/profiles/x.json",
		ProfileDigest: [32]byte{1, 2, 3},
		Compiler:      "seccomp-hook 1",
		Verified:      true,
		Warnings:      []string{"first", "second"},
		Statistics:    []precompute.Statistics{{Arch: "x86_64", Cached: 1, Constant: 2, Dynamic: 3, Total: 5}, {Arch: "x86"}},
	}
}

// openStore makes a store in a directory of its own.
func openStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "run", "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) path(name string) string { return filepath.Join(s.dir.Name(), name) }

// names lists what is in the store.
func (s *Store) names(t testing.TB) []string {
	t.Helper()
	list, err := os.ReadDir(s.dir.Name())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStoreKeepsFilters(t *testing.T) {
	s := openStore(t)
	key, other := Key{1}, Key{2}
	if f, err := s.load(key); f != nil || err != nil {
		t.Fatalf("an empty store has %v, %v", f, err)
	}
	want := sample()
	must(t, s.save(key, want))
	got, err := s.load(key)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if f, err := s.load(other); f != nil || err != nil {
		t.Errorf("another key has %v, %v", f, err)
	}
	want.Profile = "replaced"
	must(t, s.save(key, want))
	if got, err = s.load(key); err != nil || got.Profile != "replaced" {
		t.Errorf("after replacing: %+v, %v", got, err)
	}
	if names := s.names(t); !reflect.DeepEqual(names, []string{key.String()}) {
		t.Errorf("the store has %q", names)
	}
	info, err := os.Stat(s.path(key.String()))
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("an entry has mode %v", info.Mode())
	}
	if info, err = os.Stat(s.dir.Name()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store has mode %v (%v)", info.Mode(), err)
	}
}

// TestStoreRefusesDamagedEntries writes one good entry, spoils it in each way,
// and expects it to be refused, removed, and made anew.
func TestStoreRefusesDamagedEntries(t *testing.T) {
	key := Key{42}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, s *Store, path string)
		want  string
	}{
		{"empty", func(t *testing.T, _ *Store, path string) { must(t, os.Truncate(path, 0)) }, "not a stored filter"},
		{"cut", func(t *testing.T, _ *Store, path string) { must(t, os.Truncate(path, 100)) }, "digest"},
		{"longer", func(t *testing.T, _ *Store, path string) {
			change(t, path, func(b []byte) []byte { return append(b, 0) })
		}, "digest"},
		{"one bit", func(t *testing.T, _ *Store, path string) {
			change(t, path, func(b []byte) []byte { b[headerSize+4+8+4] ^= 1; return b }) // the K of an instruction
		}, "digest"},
		{"older format", func(t *testing.T, _ *Store, path string) {
			change(t, path, func(b []byte) []byte { b[len(magic)-1]--; return b })
		}, "not a stored filter of this version"},
		{"another key's", func(t *testing.T, s *Store, path string) {
			must(t, s.save(Key{43}, sample()))
			must(t, os.Rename(s.path(Key{43}.String()), path))
		}, "digest"},
		{"huge", func(t *testing.T, _ *Store, path string) { must(t, os.Truncate(path, maxEncoded+1)) }, "at most"},
		{"symlink", func(t *testing.T, s *Store, path string) {
			must(t, os.Rename(path, s.path("elsewhere")))
			must(t, os.Symlink("elsewhere", path))
		}, "symbolic links"},
		{"dangling symlink", func(t *testing.T, _ *Store, path string) {
			must(t, os.Remove(path))
			must(t, os.Symlink("/nowhere", path))
		}, "symbolic links"},
		{"hard link", func(t *testing.T, s *Store, path string) { must(t, os.Link(path, s.path("second"))) }, "2 links"},
		{"group can write", func(t *testing.T, _ *Store, path string) { must(t, os.Chmod(path, 0o620)) }, "mode 0620"},
		{"world can write", func(t *testing.T, _ *Store, path string) { must(t, os.Chmod(path, 0o602)) }, "mode 0602"},
		{"foreign", func(t *testing.T, _ *Store, path string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			must(t, os.Chown(path, 1000, 0))
		}, "owned by uid 1000"},
		{"unreadable", func(t *testing.T, _ *Store, path string) {
			if os.Geteuid() == 0 {
				t.Skip("root can read everything")
			}
			must(t, os.Chmod(path, 0o000))
		}, "permission denied"},
		{"FIFO", func(t *testing.T, _ *Store, path string) {
			must(t, os.Remove(path))
			must(t, unix.Mkfifo(path, 0o600))
		}, "not a regular file"},
		{"directory", func(t *testing.T, _ *Store, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t)
			must(t, s.save(key, sample()))
			path := s.path(key.String())
			c.spoil(t, s, path)
			f, err := s.load(key)
			if f != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("loaded %v, %v; want an error with %q", f, err, c.want)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the entry is still there (%v)", err)
			}
			must(t, s.save(key, sample()))
			if f, err := s.load(key); f == nil || err != nil {
				t.Errorf("after writing it anew: %v, %v", f, err)
			}
		})
	}
}

func change(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, edit(b), 0o600))
}

func TestOpenRefusesDirectoriesOfOthers(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string) string
		want    string
	}{
		{"group can enter", func(t *testing.T, dir string) string {
			must(t, os.Mkdir(dir+"/s", 0o700))
			must(t, os.Chmod(dir+"/s", 0o710))
			return dir + "/s"
		}, "mode 0710"},
		{"world can write", func(t *testing.T, dir string) string {
			must(t, os.Mkdir(dir+"/s", 0o700))
			must(t, os.Chmod(dir+"/s", 0o702))
			return dir + "/s"
		}, "mode 0702"},
		{"foreign", func(t *testing.T, dir string) string {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			must(t, os.Mkdir(dir+"/s", 0o700))
			must(t, os.Chown(dir+"/s", 1000, 0))
			return dir + "/s"
		}, "owned by uid 1000"},
		{"symlink", func(t *testing.T, dir string) string {
			must(t, os.Mkdir(dir+"/real", 0o700))
			must(t, os.Symlink("real", dir+"/s"))
			return dir + "/s"
		}, "symbolic links"},
		{"symlink on the way", func(t *testing.T, dir string) string {
			must(t, os.Mkdir(dir+"/real", 0o700))
			must(t, os.Symlink("real", dir+"/s"))
			return dir + "/s/store"
		}, "symbolic links"},
		{"file", func(t *testing.T, dir string) string {
			must(t, os.WriteFile(dir+"/s", nil, 0o600))
			return dir + "/s"
		}, "not a directory"},
		{"file on the way", func(t *testing.T, dir string) string {
			must(t, os.WriteFile(dir+"/s", nil, 0o600))
			return dir + "/s/store"
		}, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.prepare(t, t.TempDir()))
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestEvictRemovesWhatWasUsedLongestAgo(t *testing.T) {
	s := openStore(t)
	s.limit = limit{entries: 3, bytes: 1 << 20}
	now := time.Now()
	age := func(key Key, minutes int) {
		used := now.Add(-time.Duration(minutes) * time.Minute)
		must(t, os.Chtimes(s.path(key.String()), used, used))
	}
	for i := range 3 {
		must(t, s.save(Key{byte(i)}, sample()))
		age(Key{byte(i)}, 30-10*i)
	}
	// Reading is using: the oldest becomes the newest.
	if f, err := s.load(Key{0}); f == nil || err != nil {
		t.Fatal(f, err)
	}
	must(t, os.WriteFile(s.path(newPrefix+"abandoned"), nil, 0o600))
	long := now.Add(-2 * abandoned)
	must(t, os.Chtimes(s.path(newPrefix+"abandoned"), long, long))
	must(t, os.WriteFile(s.path(newPrefix+"fresh"), nil, 0o600))
	must(t, os.WriteFile(s.path("state.json"), nil, 0o600)) // of a container named "store"
	must(t, s.save(Key{3}, sample()))
	want := []string{newPrefix + "fresh", Key{0}.String(), Key{2}.String(), Key{3}.String(), "state.json"}
	if names := s.names(t); !reflect.DeepEqual(names, want) {
		t.Errorf("the store has\n%q, want\n%q", names, want)
	}

	s.limit.bytes = 1
	must(t, s.save(Key{4}, sample()))
	if names := s.names(t); !reflect.DeepEqual(names, []string{newPrefix + "fresh", "state.json"}) {
		t.Errorf("with room for one byte the store has %q", names)
	}
}

// TestStoreThatCannotBeWritten: the fault is told and nothing half-written is
// left. (A disk that is full is in the integration tests: it takes a mount.)
func TestStoreThatCannotBeWritten(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can write to every directory")
	}
	s := openStore(t)
	must(t, os.Chmod(s.dir.Name(), 0o500))
	t.Cleanup(func() { must(t, os.Chmod(s.dir.Name(), 0o700)) })
	if err := s.save(Key{1}, sample()); !errors.Is(err, unix.EACCES) {
		t.Errorf("saved: %v", err)
	}
	if names := s.names(t); len(names) != 0 {
		t.Errorf("the store has %q", names)
	}
}

// TestStoreInParallel lets writers, readers and eviction of several Stores run
// into each other: whatever is read is whole.
func TestStoreInParallel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			s.limit.entries = 3
			for i := range 100 {
				key := Key{byte((i + worker) % 5)}
				f, err := s.load(key)
				if err != nil || f != nil && !reflect.DeepEqual(f, sample()) {
					t.Errorf("loaded %+v, %v", f, err)
				}
				if err := s.save(key, sample()); err != nil {
					t.Errorf("saved: %v", err)
				}
			}
		}()
	}
	wg.Wait()
}

func TestKeyTellsRequestsApart(t *testing.T) {
	requests := []func(*Request){
		func(*Request) {},
		func(r *Request) { r.Profile = "b" },
		func(r *Request) { r.Text = []byte("x") },
		func(r *Request) { r.Text, r.Seccomp = []byte("x"), true },
		func(r *Request) { r.Text = []byte{} },
		func(r *Request) { r.Profile, r.Text = "", []byte("a") },
		func(r *Request) { r.Capabilities = []string{} },
		func(r *Request) { r.Capabilities = []string{"CAP_A"} },
		func(r *Request) { r.Capabilities = []string{"CAP_A", "CAP_B"} },
		func(r *Request) { r.Capabilities = []string{"CAP_ACAP_B"} },
		func(r *Request) { r.Architectures = archs("x86_64") },
		func(r *Request) { r.Architectures = archs("x86_64", "x86") },
		func(r *Request) { r.Architectures = archs("x86", "x86_64") },
		func(r *Request) { r.Kernel = spec.KernelVersion{Major: 6, Minor: 18} },
		func(r *Request) { r.Kernel = spec.KernelVersion{Major: 6, Minor: 12} },
		func(r *Request) { r.Strict = true },
		func(r *Request) { r.Compile.Optimize = 1 },
	}
	seen := map[Key]string{}
	for i, change := range requests {
		for _, build := range []string{"1", "2"} {
			r := Request{Profile: "a"}
			change(&r)
			name := fmt.Sprintf("request %d, build %s", i, build)
			key := r.key(build)
			if other, twice := seen[key]; twice {
				t.Errorf("%s and %s have the same key", name, other)
			}
			seen[key] = name
		}
	}
	a := Request{Capabilities: []string{"CAP_A", "CAP_B"}}
	b := Request{Capabilities: []string{"CAP_B", "CAP_A", "CAP_B"}}
	if a.key("") != b.key("") {
		t.Error("the order of capabilities changes the key")
	}
	if b.Capabilities[0] != "CAP_B" {
		t.Error("making a key sorts the caller's list")
	}
	a, b = Request{Seccomp: true}, Request{Seccomp: true, Capabilities: []string{"CAP_B"}}
	if a.key("") != b.key("") {
		t.Error("linux.seccomp depends on capabilities")
	}
	a.Also, b.Also = []Source{{Profile: "builtin:docker"}}, []Source{{Profile: "builtin:docker"}}
	if a.key("") == b.key("") {
		t.Error("a profile beside linux.seccomp does not depend on capabilities")
	}
}

func TestEncodingIsExact(t *testing.T) {
	for name, f := range map[string]*Filter{
		"full":     sample(),
		"smallest": {Program: bpf.Program{bpf.Ret(bpf.RetAllow)}},
		"longest":  {Program: longest()},
	} {
		b, err := f.MarshalBinary()
		must(t, err)
		var g Filter
		must(t, g.UnmarshalBinary(b))
		if !reflect.DeepEqual(&g, f) {
			t.Errorf("%s: became %+v", name, g)
		}
		for i := range b {
			if i > 4096 {
				break
			}
			spoilt := bytes.Clone(b)
			spoilt[i] ^= 0x10
			if err := g.UnmarshalBinary(spoilt); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: byte %d changed: %v", name, i, err)
			}
			if err := g.UnmarshalBinary(b[:i]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: cut to %d bytes: %v", name, i, err)
			}
		}
		if !reflect.DeepEqual(&g, f) {
			t.Errorf("%s: a refused form changed the filter", name)
		}
	}
	if _, err := (&Filter{Warnings: []string{strings.Repeat("x", maxEncoded)}}).MarshalBinary(); err == nil {
		t.Error("a filter that is too large to read was written")
	}
}

// archs returns architectures by name.
func archs(names ...string) []*arch.Arch {
	var list []*arch.Arch
	for _, name := range names {
		a, _ := arch.ByName(name)
		list = append(list, a)
	}
	return list
}

func longest() bpf.Program {
	p := make(bpf.Program, bpf.MaxInstructions)
	for i := range p {
		p[i] = bpf.Ret(bpf.RetAllow)
	}
	return p
}

// seal gives a payload a digest that fits, so that the fuzzer gets past it.
func seal(payload []byte) []byte {
	sum := digest(Key{}, payload)
	return append(append([]byte(magic), sum[:]...), payload...)
}

func FuzzDecode(f *testing.F) {
	for _, filter := range []*Filter{sample(), {Program: bpf.Program{bpf.Ret(bpf.RetAllow)}}} {
		b, err := filter.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[headerSize:])
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, payload []byte) {
		stored := seal(payload)
		var filter Filter
		if err := filter.UnmarshalBinary(stored); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v does not wrap ErrDamaged", err)
			}
			return
		}
		if err := filter.Program.Validate(); err != nil {
			t.Errorf("accepted a program that the kernel refuses: %v", err)
		}
		if again, err := filter.MarshalBinary(); err != nil || !bytes.Equal(again, stored) {
			t.Errorf("%x\nwas accepted and is written as (%v)\n%x", stored, err, again)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	s := openStore(b)
	f, err := Build(Request{Profile: "builtin:docker", Kernel: kernel618})
	must(b, err)
	must(b, s.save(Key{}, f))
	b.ReportAllocs()
	for b.Loop() {
		if f, err := s.load(Key{}); f == nil || err != nil {
			b.Fatal(f, err)
		}
	}
}
