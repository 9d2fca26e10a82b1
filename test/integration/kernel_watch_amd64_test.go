//go:build integration

package integration

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/bpf/bpftest"
	"seccomp-hook/pkg/watch"
)

// watchPuppet counts the calls of a puppet that has these filters.
func watchPuppet(t *testing.T, p *puppet, programs ...bpf.Program) *watch.Watcher {
	t.Helper()
	return watchTree(t, p.tid, programs...)
}

// watchTree counts the calls of a process that has these filters, and of those
// that descend from it.
func watchTree(t *testing.T, pid int, programs ...bpf.Program) *watch.Watcher {
	t.Helper()
	state, err := newReader(t).Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	cache, _ := state.Cache()
	scope, err := watch.Tree(pid)
	if err != nil {
		t.Fatal(err)
	}
	w, err := watch.New(watch.Options{Scope: scope, Programs: programs, Filter: state.Filters[len(state.Filters)-1].Address, Cache: cache, Samples: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := w.Start(true); err != nil {
		t.Fatal(err)
	}
	return w
}

// tally is what a Watcher says of one call, in a form that reads.
func tally(c *watch.Count) string {
	s := fmt.Sprintf("cached %d, ran %d for %d", c.Cached, c.Ran, c.Instructions)
	if c.Unfiltered+c.Other+c.Refused > 0 {
		s += fmt.Sprintf(", unfiltered %d, other %d, refused %d", c.Unfiltered, c.Other, c.Refused)
	}
	for _, v := range c.Verdicts {
		how := "not executed"
		if v.Executed {
			how = "executed"
		}
		s += fmt.Sprintf(", %s %s %d for %d", v.Return, how, v.Count, v.Instructions)
	}
	return s
}

// counted stops a Watcher and compares what it has counted.
func counted(t *testing.T, w *watch.Watcher, want map[watch.Call]string) {
	t.Helper()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	counts, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	if counts.Lost != (watch.Lost{}) {
		t.Errorf("lost: %+v", counts.Lost)
	}
	for i := range counts.Calls {
		c := &counts.Calls[i]
		if got := tally(c); got != want[c.Call] {
			t.Errorf("%#x:%d: %s; want %s", c.Token, c.Nr, got, want[c.Call])
		}
		delete(want, c.Call)
	}
	for c, text := range want {
		t.Errorf("%#x:%d: not counted; want %s", c.Token, c.Nr, text)
	}
}

// watchedProgram allows 64-bit calls from its cache, but for a few; of i386 it
// allows getpid after a look at an argument.
var watchedProgram = bpf.Program{
	0:  bpf.Load(bpf.OffArch),
	1:  bpf.Jump(bpf.JEQ, 0x40000003, 18, 0),
	2:  bpf.Load(bpf.OffNr),
	3:  bpf.Jump(bpf.JEQ, unix.SYS_SYNC, 0, 1),
	4:  bpf.Ret(bpf.Errno(1)),
	5:  bpf.Jump(bpf.JEQ, unix.SYS_PERSONALITY, 0, 4),
	6:  bpf.Load(bpf.OffArgs),
	7:  bpf.Jump(bpf.JEQ, 8, 0, 1),
	8:  bpf.Ret(bpf.RetAllow),
	9:  bpf.Ret(bpf.Errno(2)),
	10: bpf.Jump(bpf.JEQ, unix.SYS_UMASK, 0, 1),
	11: bpf.Ret(bpf.RetLog),
	12: bpf.Jump(bpf.JEQ, unix.SYS_ACCT, 0, 1),
	13: bpf.Ret(bpf.RetTrap | 5),
	14: bpf.Jump(bpf.JEQ, unix.SYS_CHROOT, 0, 1),
	15: bpf.Ret(bpf.RetTrace | 6),
	16: bpf.Jump(bpf.JEQ, unix.SYS_REBOOT, 0, 1),
	17: bpf.Ret(bpf.RetKillThread),
	18: bpf.Jump(bpf.JGE, 0x40000000, 0, 1),
	19: bpf.Ret(bpf.Errno(38)),
	// The jump of i386 comes here.
	20: bpf.Load(bpf.OffNr),
	21: bpf.Jump(bpf.JEQ, 20, 0, 5), // i386: getpid
	22: bpf.Load(bpf.OffArch),
	23: bpf.Jump(bpf.JEQ, 0x40000003, 0, 3),
	24: bpf.Load(bpf.OffArgs + 8),
	25: bpf.Jump(bpf.JEQ, 7, 1, 0),
	26: bpf.Ret(bpf.Errno(3)),
	27: bpf.Ret(bpf.RetAllow),
}

// TestWatchCounts: for calls of all kinds the counts are exactly those that were
// made; by two tracepoints, where the filter may leave a call to a tracer, and by
// that for the end of calls alone.
func TestWatchCounts(t *testing.T) {
	newReader(t) // where there is no cache, nothing is to be counted
	t.Run("begin and end", func(t *testing.T) {
		testWatchCounts(t, watchedProgram, "cached 0, ran 3 for 27, TRACE(6) executed 3 for 27")
	})
	t.Run("end", func(t *testing.T) {
		program := slices.Clone(watchedProgram)
		program[15] = bpf.Ret(bpf.Errno(6))
		testWatchCounts(t, program, "cached 0, ran 0 for 0, ERRNO(6) not executed 3 for 27")
	})
	if !takesI386(t) {
		t.Run("i386", func(t *testing.T) { t.Skip("this kernel takes no i386 calls; the others are counted") })
	}
}

// testWatchCounts is TestWatchCounts of a program, which makes of chroot what
// is said.
func testWatchCounts(t *testing.T, program bpf.Program, chroot string) {
	p := newPuppet(t)
	if r := p.install(program, 0); r != 0 {
		t.Fatalf("install: %d", r)
	}
	other := p.thread() // so that KILL_THREAD leaves a process behind
	p.setOptions(awake | unix.PTRACE_O_TRACESECCOMP)
	other.wake()
	w := watchPuppet(t, p, program)

	native := func(nr uint32) watch.Call { return watch.Call{Token: 0xc000003e, Nr: nr} }
	compat := func(nr uint32) watch.Call { return watch.Call{Token: 0x40000003, Nr: nr} }
	do := func(times int, e entry, nr uint32, args ...uint64) {
		t.Helper()
		var a [6]uint64
		copy(a[:], args)
		for range times {
			p.try(e, nr, a)
		}
	}
	do(7, nativeEntry, unix.SYS_GETPPID)
	do(3, nativeEntry, unix.SYS_SYNC)
	do(4, nativeEntry, unix.SYS_PERSONALITY, 8)
	do(5, nativeEntry, unix.SYS_PERSONALITY, 9)
	do(6, nativeEntry, unix.SYS_UMASK, 0o22)
	do(2, nativeEntry, unix.SYS_ACCT)
	do(3, nativeEntry, unix.SYS_CHROOT)
	do(8, nativeEntry, arch.X32Bit+39)
	do(2, nativeEntry, 0xffffffff)
	do(2, nativeEntry, 5000)
	i386 := takesI386(t)
	if i386 {
		do(9, int80, 20, 0, 7)
		do(4, int80, 20, 0, 8)
		do(5, int80, 64) // getppid
	}
	if e := other.try(nativeEntry, unix.SYS_REBOOT, [6]uint64{}); e.died == 0 {
		t.Errorf("reboot %v", e)
	}

	want := map[watch.Call]string{
		native(unix.SYS_GETPPID):     "cached 7, ran 0 for 0",
		native(unix.SYS_SYNC):        "cached 0, ran 0 for 0, ERRNO(1) not executed 3 for 15",
		native(unix.SYS_PERSONALITY): "cached 0, ran 4 for 32, ERRNO(2) not executed 5 for 40",
		native(unix.SYS_UMASK):       "cached 0, ran 6 for 42, LOG executed 6 for 42",
		native(unix.SYS_ACCT):        "cached 0, ran 0 for 0, TRAP(5) not executed 2 for 16",
		native(unix.SYS_CHROOT):      chroot,
		native(unix.SYS_REBOOT):      "cached 0, ran 0 for 0, KILL_THREAD not executed 1 for 10",
		native(arch.X32Bit + 39):     "cached 0, ran 0 for 0, ERRNO(38) not executed 8 for 88",
		native(0xffffffff):           "cached 0, ran 0 for 0, ERRNO(38) not executed 2 for 22",
		native(5000):                 "cached 0, ran 2 for 26",
	}
	if i386 {
		want[compat(20)] = "cached 0, ran 9 for 81, ERRNO(3) not executed 4 for 36"
		want[compat(64)] = "cached 5, ran 0 for 0"
	}
	counted(t, w, want)
}

// life is a running Life.
type life struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

// startLife starts Life with a filter. It waits.
func startLife(t *testing.T, program bpf.Program) *life {
	t.Helper()
	l := &life{t: t, cmd: command(t, Life.Path(t))}
	var err error
	l.in, err = l.cmd.StdinPipe()
	must(t, err)
	l.out, err = l.cmd.StdoutPipe()
	must(t, err)
	must(t, l.cmd.Start())
	t.Cleanup(func() { _ = l.cmd.Process.Kill(); _ = l.cmd.Wait() }) // it may have ended
	raw, err := program.MarshalBinary()
	must(t, err)
	_, err = l.in.Write(raw)
	must(t, err)
	l.waits('r')
	return l
}

// waits returns when it has said something, and waits again.
func (l *life) waits(said byte) {
	l.t.Helper()
	var b [1]byte
	if _, err := l.out.Read(b[:]); err != nil || b[0] != said {
		l.t.Fatalf("it says %q: %v", b, err)
	}
	for waits := false; !waits; {
		call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", l.cmd.Process.Pid))
		must(l.t, err)
		waits = strings.HasPrefix(string(call), "0 ") // in read
	}
}

// live lets it make its calls, and end.
func (l *life) live() {
	l.t.Helper()
	_, err := l.in.Write([]byte("x"))
	must(l.t, err)
	must(l.t, l.cmd.Wait())
}

// TestWatchFull: where the kernel's buffer has no room for a denied call, it is
// counted all the same, and told that it is not shown.
func TestWatchFull(t *testing.T) {
	const made = 12000 // of 112 bytes each, where there is room for 1 MiB
	p := newPuppet(t)
	program := bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, unix.SYS_SYNC, 0, 1), bpf.Ret(bpf.Errno(1)), bpf.Ret(bpf.RetAllow)}
	if r := p.install(program, 0); r != 0 {
		t.Fatalf("install: %d", r)
	}
	p.wake()
	w := watchPuppet(t, p, program)
	for range made {
		p.try(nativeEntry, unix.SYS_SYNC, [6]uint64{})
	}
	must(t, w.Stop())
	counts, err := w.Read()
	must(t, err)
	shown := uint64(0)
	must(t, w.Denials(func(*watch.Denial) { shown++ }))
	if len(counts.Calls) != 1 || counts.Calls[0].Denied() != made || shown == 0 || counts.Lost != (watch.Lost{Events: made - shown}) {
		t.Errorf("%d calls: shown %d, counts %+v", made, shown, counts)
	}
}

// TestWatchLife: calls count once that end without coming back, in two processes,
// with the registers of another program, with none, or not at first.
func TestWatchLife(t *testing.T) {
	const interrupts = 3
	for _, test := range []struct {
		name    string
		program bpf.Program
		steps   int // the program's for an allowed call, 0 where the kernel's cache serves it
		denied  int // … for clone3
		unknown int // … for the number -1
		before  int // calls that began before the watch, and end in it
	}{
		{"cached", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, unix.SYS_CLONE3, 0, 1), bpf.Ret(bpf.Errno(0)), bpf.Ret(bpf.RetAllow)}, 0, 3, 3, 1},
		{"ran", bpf.Program{bpf.Load(bpf.OffArgs), bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, unix.SYS_CLONE3, 0, 1), bpf.Ret(bpf.Errno(0)), bpf.Ret(bpf.RetAllow)}, 4, 4, 4, 1},
		{"two tracepoints", bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, unix.SYS_CLONE3, 0, 1), bpf.Ret(bpf.Errno(0)), bpf.Jump(bpf.JEQ, unix.SYS_CHROOT, 0, 1), bpf.Ret(bpf.RetTrace), bpf.Ret(bpf.RetAllow)}, 0, 3, 4, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := startLife(t, test.program)
			w := watchTree(t, l.cmd.Process.Pid, test.program)
			for range interrupts {
				must(t, l.cmd.Process.Signal(unix.SIGUSR2))
				l.waits('h')
			}
			l.live()
			want := map[watch.Call]string{}
			for nr, n := range map[uint32]int{
				unix.SYS_READ: interrupts + test.before, unix.SYS_WRITE: interrupts, unix.SYS_RT_SIGRETURN: interrupts + 5,
				unix.SYS_KILL: 5, 0xffffffff: 2, unix.SYS_VFORK: 1, unix.SYS_CLONE: 2, unix.SYS_WAIT4: 2,
				unix.SYS_EXIT: 2, unix.SYS_EXIT_GROUP: 2, unix.SYS_EXECVE: 3,
			} {
				text := fmt.Sprintf("cached %d, ran 0 for 0", n)
				switch {
				case nr == 0xffffffff: // no cache has it
					text = fmt.Sprintf("cached 0, ran %d for %d", n, n*test.unknown)
				case test.steps > 0:
					text = fmt.Sprintf("cached 0, ran %d for %d", n, n*test.steps)
				}
				want[watch.Call{Token: 0xc000003e, Nr: nr}] = text
			}
			want[watch.Call{Token: 0xc000003e, Nr: unix.SYS_CLONE3}] = fmt.Sprintf("cached 0, ran 0 for 0, ERRNO(0) not executed 1 for %d", test.denied)
			counted(t, w, want)
		})
	}
}

// TestWatchRandom: under random chains the counts of random calls are those of
// the emulator.
func TestWatchRandom(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			runtime.LockOSThread()
			r := rand.New(rand.NewPCG(seed, 3))
			programs := make([]bpf.Program, 1+r.IntN(2))
			p := newPuppet(t)
			for i := range programs {
				programs[i] = bpftest.Random(r, bpftest.Style(r.IntN(2)), 4+r.IntN(40))
				if got := p.install(programs[i], 0); got != 0 {
					t.Fatalf("install: %d", got)
				}
			}
			p.wake()
			w := watchPuppet(t, p, programs...)
			type sums struct{ executed, denied, steps uint64 }
			want := map[watch.Call]sums{}
			i386 := takesI386(t)
			sampler := bpftest.NewSampler(bpf.Little, programs...)
			for range 60 {
				d := sampler.Call(r)
				e := nativeEntry
				if i386 && r.IntN(3) == 0 {
					e = int80
				}
				d.Arch, d.IP = e.arch, p.ip(e)
				// Harmless, whatever the filters let through.
				if d.Nr%2 == 0 {
					d.Nr = unix.SYS_GETPPID
				} else {
					d.Nr = 20000 + d.Nr%4
				}
				if e == int80 && d.Nr == unix.SYS_GETPPID {
					d.Nr = 64
				}
				verdict, steps := bpf.RetAllow, uint64(0)
				words := d.Words(bpf.Little)
				for i := len(programs) - 1; i >= 0; i-- {
					ret, n, err := programs[i].RunCount(&words)
					if err != nil {
						t.Fatal(err)
					}
					steps += uint64(n)
					if int32(ret.Action()) < int32(verdict.Action()) {
						verdict = ret
					}
				}
				c := watch.Call{Token: e.arch, Nr: d.Nr}
				s := want[c]
				s.steps += steps
				if verdict == bpf.RetAllow || verdict.Action() == bpf.RetLog {
					s.executed++
				} else {
					s.denied++
				}
				want[c] = s
				if out := p.try(e, d.Nr, d.Args); out.died != 0 {
					break
				}
			}
			if err := w.Stop(); err != nil {
				t.Fatal(err)
			}
			counts, err := w.Read()
			if err != nil {
				t.Fatal(err)
			}
			for i := range counts.Calls {
				c := &counts.Calls[i]
				if c.Nr == unix.SYS_EXIT_GROUP || c.Nr == 252 && c.Token == 0x40000003 {
					continue
				}
				got := sums{c.Executed(), c.Denied(), c.Steps()}
				if c.Cached > 0 {
					got.steps = want[c.Call].steps // which the kernel does not take
				}
				if got != want[c.Call] {
					t.Errorf("%#x:%d: %+v, want %+v: %s", c.Token, c.Nr, got, want[c.Call], tally(c))
				}
				delete(want, c.Call)
			}
			for c, s := range want {
				t.Errorf("%#x:%d: not counted, want %+v", c.Token, c.Nr, s)
			}
		})
	}
}
