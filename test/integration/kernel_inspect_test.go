//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// settle lets a puppet go: it waits in ppoll(2), of nothing, which its filters must allow,
// untraced, until the test ends.
func (p *puppet) settle() {
	p.t.Helper()
	p.start(nativeEntry, unix.SYS_PPOLL, [6]uint64{})
	if err := unix.PtraceDetach(p.tid); err != nil {
		p.t.Fatalf("let puppet %d go: %v", p.tid, err)
	}
}

// TestInspect looks at a process that nothing else traces.
func TestInspect(t *testing.T) {
	p := newPuppet(t)
	oldest := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 600, 0, 1),
		bpf.Ret(bpf.Errno(7)),
		bpf.Ret(bpf.RetAllow),
	}
	newest := bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, unix.SYS_PERSONALITY, 0, 3),
		bpf.Load(bpf.OffArgs),
		bpf.Jump(bpf.JEQ, 0xffffffff, 0, 1),
		bpf.Ret(bpf.Errno(1)),
		bpf.Ret(bpf.RetAllow),
	}
	p.must(p.install(oldest, uint64(precompute.FlagLog)))
	flags, names := precompute.FlagNewListener, []string{"listener"}
	if install.WaitKillableRecv.Available() {
		flags, names = flags|precompute.FlagWaitKillableRecv, []string{"wait-killable-recv", "listener"}
	}
	p.must(p.install(newest, uint64(flags)))
	if _, err := live.Programs(p.tid); !errors.Is(err, live.ErrTraced) {
		t.Errorf("a thread that is traced: %v", err)
	}
	p.settle()

	programs, err := live.Programs(p.tid)
	if err != nil {
		t.Fatal(err)
	}
	want := []live.Program{{Program: oldest, Log: true}, {Program: newest}}
	if !reflect.DeepEqual(programs, want) {
		t.Errorf("programs %+v, want %+v", programs, want)
	}

	digest := newest.Digest()
	in, err := live.Inspect(p.tid, live.InspectOptions{
		Known:       func(d [32]byte) (string, bool) { return "builtin:docker", d == digest },
		Disassemble: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	cache, cached := "as predicted", 1
	if readsCache(t) {
		if !in.Cache.Agrees {
			t.Errorf("cache: %+v", in.Cache)
		}
	} else {
		cache, cached, names = "not read", 0, nil
	}
	if in.Mode != 2 || len(in.Filters) != 2 {
		t.Fatalf("%+v", in)
	}
	for i, want := range []struct {
		flags []string
		store bool
		lines int
	}{{[]string{"log"}, false, 4}, {names, true, 6}} {
		f := in.Filters[i]
		if !reflect.DeepEqual(f.Flags, want.flags) || (f.Store != "") != want.store || len(f.Program) != want.lines || f.Length != want.lines {
			t.Errorf("filter %d: %+v, want %+v", i, f, want)
		}
	}
	both := in.Statistics[0]
	if both.Arch != native || both.Dynamic != 1 || both.Constant != both.Total-1 {
		t.Errorf("statistics %+v", both)
	}
	if in.Filters[0].Statistics[0].Dynamic != 0 || in.Filters[0].Statistics[0].Cached != both.Cached+cached {
		t.Errorf("statistics of filter 0 %+v, of both %+v", in.Filters[0].Statistics[0], both)
	}
	var text strings.Builder
	if err := in.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text.String())
	for _, line := range []string{"2 filters", "from the store: builtin:docker", "kernel's cache: " + cache, "1: if a == 0x258 goto 2 else 3"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no %q in\n%s", line, text.String())
		}
	}
}

// readsCache reports whether the kernel has a cache that can be read; TestKernelFacts
// says which kernels do.
func readsCache(t *testing.T) bool {
	t.Helper()
	r, err := live.NewReader()
	if err == nil {
		must(t, r.Close())
	}
	return err == nil
}

// TestInspectManyFilters looks at more filters than are read at a time.
func TestInspectManyFilters(t *testing.T) {
	const filters = 200
	p := newPuppet(t)
	for i := range filters {
		flags := precompute.Flags(0)
		if i >= filters-2 {
			flags = precompute.FlagLog
		}
		p.must(p.install(bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, uint32(600+i), 0, 1), bpf.Ret(bpf.Errno(1)), bpf.Ret(bpf.RetAllow)}, uint64(flags)))
	}
	p.settle()
	in, err := live.Inspect(p.tid, live.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Filters) != filters || in.Cache.Agrees != readsCache(t) {
		t.Errorf("%d filters, cache %+v", len(in.Filters), in.Cache)
	}
	if !readsCache(t) {
		return
	}
	for i, f := range in.Filters {
		if (len(f.Flags) > 0) != (i >= filters-2) || f.Index != i {
			t.Errorf("filter %d: %+v", i, f)
		}
	}
}

// TestInspectWithoutFilters looks at this very process's parent, which has
// none.
func TestInspectWithoutFilters(t *testing.T) {
	in, err := live.Inspect(os.Getppid(), live.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if in.Mode != 0 || len(in.Filters) != 0 || in.Cache.Unavailable == "" {
		t.Errorf("%+v", in)
	}
}

// TestInspectFaults asks for what is not there, or not to be had.
func TestInspectFaults(t *testing.T) {
	const nobody = 1 << 22 // the kernel's own limit of ids
	if _, err := live.Inspect(nobody, live.InspectOptions{}); !errors.Is(err, live.ErrNoThread) {
		t.Errorf("inspect: %v", err)
	}
	if _, err := live.Programs(nobody); !errors.Is(err, live.ErrNoThread) {
		t.Errorf("programs: %v", err)
	}
	if _, err := newReader(t).Read(nobody); !errors.Is(err, live.ErrNoThread) {
		t.Errorf("cache: %v", err)
	}
}

// TestInspectWithoutPrivilege asks from a thread that has given everything up.
func TestInspectWithoutPrivilege(t *testing.T) {
	newReader(t) // with privileges there is one
	p := newPuppet(t)
	p.must(p.install(bpf.Program{bpf.Ret(bpf.RetAllow)}, 0))
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is of no more use
		// The system call, as the libraries' wrappers change all threads.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000); errno != 0 {
			done <- errno
			return
		}
		_, err := live.NewReader()
		done <- err
	}()
	if err := <-done; !errors.Is(err, live.ErrPermission) {
		t.Errorf("reader: %v", err)
	}
}
