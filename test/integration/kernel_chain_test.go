//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// allowAll is the shortest filter; each call makes another one, by its length.
func allowAll(length int) bpf.Program {
	p := make(bpf.Program, length)
	for i := range p {
		p[i] = bpf.Load(bpf.OffNr)
	}
	p[length-1] = bpf.Ret(bpf.RetAllow)
	return p
}

// TestKernelLimitsLength appends filters until there is no room, in the kernel
// and in the model, for programs that the kernel's conversion makes longer in
// different ways.
func TestKernelLimitsLength(t *testing.T) {
	repeat := func(n int, in ...bpf.Instruction) bpf.Program {
		p := make(bpf.Program, 0, n)
		p = append(p, bpf.Load(bpf.OffNr))
		for len(p) < n-len(in) {
			p = append(p, in...)
		}
		return append(p, bpf.Ret(bpf.RetAllow))
	}
	jumps := func(op uint16, k uint32, jt, jf uint8) []bpf.Instruction {
		return []bpf.Instruction{bpf.Jump(op, k, jt, jf), bpf.Load(bpf.OffNr)}
	}
	tests := []struct {
		name    string
		program bpf.Program
	}{
		{"one instruction", allowAll(1)},
		{"loads", repeat(4096, bpf.Load(bpf.OffArch))},
		{"returns", repeat(4096, bpf.JumpAlways(1), bpf.Ret(0))},
		{"jumps one way", repeat(4096, jumps(bpf.JEQ, 1, 1, 0)...)},
		{"jumps the other way", repeat(4096, jumps(bpf.JGE, 1, 0, 1)...)},
		{"jumps both ways", repeat(4096, jumps(bpf.JGT, 1, 1, 1)...)},
		{"bit tests the other way", repeat(4096, jumps(bpf.JSET, 1, 0, 1)...)},
		{"large constants", repeat(4096, jumps(bpf.JEQ, 0x80000000, 1, 1)...)},
		{"comparisons with X", repeat(4096, jumps(bpf.JEQ|bpf.X, 0x80000000, 1, 1)...)},
		{"divisions by X", repeat(4096, bpf.Instruction{Code: bpf.ALU | bpf.DIV | bpf.X})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.program.Validate(); err != nil {
				t.Fatal(err)
			}
			child := newPuppet(t)
			c := precompute.NewChain(bpf.Little)
			for {
				err := c.Append(test.program, 0)
				if got, want := child.install(test.program, 0), precompute.Result(err); got != want {
					t.Fatalf("after %d filters: seccomp(2) returns %d, predicted %d (%v)", c.Len(), got, want, err)
				}
				if err != nil {
					break
				}
			}
			status, err := live.ReadStatus(child.tid)
			if err != nil || status.Filters != c.Len() || status.Mode != int(c.Mode()) {
				t.Errorf("%+v, %v, want %d filters in mode %d", status, err, c.Len(), c.Mode())
			}
		})
	}
}

// TestKernelRefuses compares seccomp(2)'s errors with the model's.
func TestKernelRefuses(t *testing.T) {
	ok := allowAll(1)
	tests := []struct {
		name    string
		program bpf.Program
		flags   precompute.Flags
		want    unix.Errno
	}{
		{"no instruction", bpf.Program{}, 0, unix.EINVAL},
		{"too many instructions", allowAll(bpf.MaxInstructions + 1), 0, unix.EINVAL},
		{"no return at the end", bpf.Program{bpf.Load(0)}, 0, unix.EINVAL},
		{"unaligned load", bpf.Program{bpf.Load(2), bpf.Ret(0)}, 0, unix.EINVAL},
		{"load past the end", bpf.Program{bpf.Load(64), bpf.Ret(0)}, 0, unix.EINVAL},
		{"division by zero", bpf.Program{{Code: bpf.ALU | bpf.DIV}, bpf.Ret(0)}, 0, unix.EINVAL},
		{"jump past the end", bpf.Program{bpf.JumpAlways(1), bpf.Ret(0)}, 0, unix.EINVAL},
		{"jump around", bpf.Program{bpf.JumpAlways(0xffffffff), bpf.Ret(0)}, 0, unix.EINVAL},
		{"scratch memory read first", bpf.Program{{Code: bpf.LD | bpf.MEM}, bpf.Ret(0)}, 0, unix.EINVAL},
		{"unknown flag", ok, 1 << 20, unix.EINVAL},
		{"listener and TSYNC want one return value", ok, precompute.FlagTSync | precompute.FlagNewListener, unix.EINVAL},
		{"killable without listener", ok, precompute.FlagWaitKillableRecv, unix.EINVAL},
		{"log", ok, precompute.FlagLog, 0},
		{"speculation", ok, precompute.FlagSpecAllow, 0},
		{"second listener", ok, precompute.FlagNewListener, unix.EBUSY},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			child := newPuppet(t)
			c := precompute.NewChain(bpf.Little, nativeEntry.arch)
			if err := c.Append(ok, precompute.FlagNewListener); err != nil {
				t.Fatal(err)
			}
			child.must(child.install(ok, uint64(precompute.FlagNewListener)))
			got := child.install(test.program, uint64(test.flags))
			var err error
			if test.flags&precompute.FlagTSync != 0 {
				err = c.Sync(test.program, test.flags)
			} else {
				err = c.Append(test.program, test.flags)
			}
			if want := -int64(test.want); got != want || precompute.Result(err) != want {
				t.Errorf("seccomp(2) returns %d, the model %d (%v), want %d", got, precompute.Result(err), err, want)
			}
		})
	}
}

// TestKernelSynchronises drives threads and their models through the same
// steps: who has which filters decides whether TSYNC works.
func TestKernelSynchronises(t *testing.T) {
	// A step of "0", "1", "2": that thread appends a filter. "0!": it
	// synchronises the others. "0!!": the same, and asks for ESRCH.
	tests := []struct {
		name  string
		steps []string
	}{
		{"no filters", []string{"0!"}},
		{"again", []string{"0!", "0!", "1!"}},
		{"own filters", []string{"0", "0", "0!"}},
		{"sibling has one of its own", []string{"1", "0!", "0!!"}},
		{"the other way", []string{"1", "1!", "0", "1!", "0!"}},
		{"two in the way", []string{"1", "2", "0!"}},
		{"after a common past", []string{"0!", "1", "0!", "1!", "0", "2!", "1!!"}},
		{"behind", []string{"0!", "0", "0", "1!", "0!", "1!"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leader := newPuppet(t)
			puppets := []*puppet{leader, leader.thread(), leader.thread()}
			var chains []*precompute.Chain
			for range puppets {
				chains = append(chains, precompute.NewChain(bpf.Little))
			}
			for n, step := range test.steps {
				self := int(step[0] - '0')
				program := allowAll(n + 1)
				var flags precompute.Flags
				var err error
				if step == step[:1] {
					err = chains[self].Append(program, 0)
				} else {
					flags = precompute.FlagTSync
					if step[1:] == "!!" {
						flags |= precompute.FlagTSyncESRCH
					}
					var siblings []precompute.Thread
					for i := range puppets {
						if i != self {
							siblings = append(siblings, precompute.Thread{ID: puppets[i].tid, Chain: chains[i]})
						}
					}
					err = chains[self].Sync(program, flags, siblings...)
				}
				if got, want := puppets[self].install(program, uint64(flags)), precompute.Result(err); got != want {
					t.Fatalf("step %d, %s: seccomp(2) returns %d, the model %d (%v)", n, step, got, want, err)
				}
				for i, p := range puppets {
					status, err := live.ReadStatus(p.tid)
					if err != nil || status.Mode != int(chains[i].Mode()) || status.Filters != chains[i].Len() {
						t.Fatalf("step %d, %s: thread %d: %+v, %v, want %d filters", n, step, i, status, err, chains[i].Len())
					}
				}
			}
		})
	}
}

// TestKernelInherits follows filters over fork, clone and execve.
func TestKernelInherits(t *testing.T) {
	mother := newPuppet(t)
	parent := mother.fork()
	defer parent.kill()
	c := precompute.NewChain(bpf.Little)
	add := func(p *puppet, c *precompute.Chain) {
		t.Helper()
		p.must(p.install(allowAll(3), 0))
		if err := c.Append(allowAll(3), 0); err != nil {
			t.Fatal(err)
		}
	}
	check := func(who string, p *puppet, c *precompute.Chain) {
		t.Helper()
		status, err := live.ReadStatus(p.tid)
		if err != nil || status.Filters != c.Len() || status.Mode != int(c.Mode()) {
			t.Errorf("%s: %+v, %v, want %d filters", who, status, err, c.Len())
		}
	}
	check("before any filter", parent, c)
	add(parent, c)
	child, childChain := parent.fork(), c.Clone()
	defer child.kill()
	check("child", child, childChain)
	add(child, childChain)
	check("child with one more", child, childChain)
	check("parent of a child with one more", parent, c)

	path := child.write([]byte("/proc/self/exe\x00"))
	child.start(nativeEntry, unix.SYS_EXECVE, [6]uint64{path})
	if s := child.resume(); s.StopSignal() != unix.SIGTRAP {
		t.Fatalf("execve: %v", describe(s))
	}
	childChain.Exec()
	check("after execve", child, childChain)
}

// TestKernelKills tells the two kills apart: a second thread survives one of
// them.
func TestKernelKills(t *testing.T) {
	const nr = 600
	for _, test := range []struct {
		ret      bpf.Return
		want     precompute.Next
		survives bool
	}{
		{bpf.RetKillThread, precompute.KillThread, true},
		{bpf.RetKillProcess, precompute.KillProcess, false},
		{0x00010000, precompute.KillProcess, false}, // no action of the kernel's
		{0x7ffb0000, precompute.KillProcess, false},
		{0x80010000, precompute.KillProcess, false},
	} {
		t.Run(test.ret.String(), func(t *testing.T) {
			p := newPuppet(t)
			program := bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, nr, 0, 1), bpf.Ret(test.ret), bpf.Ret(bpf.RetAllow)}
			p.must(p.install(program, 0))
			victim := p.thread()
			c := precompute.NewChain(bpf.Little, nativeEntry.arch)
			if err := c.Append(program, 0); err != nil {
				t.Fatal(err)
			}
			d := bpf.Data{Nr: nr, Arch: nativeEntry.arch, IP: victim.ip(nativeEntry)}
			if e := c.Effect(c.Evaluate(&d), &d, precompute.Situation{}); e.Next != test.want {
				t.Errorf("the model says %v", e.Next)
			}
			victim.wake()
			p.wake()
			victim.start(nativeEntry, nr, [6]uint64{})
			if s := victim.resume(); s.Signal() != unix.SIGSYS && !s.Exited() {
				t.Errorf("the thread's end: %v", describe(s))
			}
			if !test.survives {
				if s := p.wait(); s.Signal() != unix.SIGSYS {
					t.Errorf("the process: %v", describe(s))
				}
				return
			}
			if got := p.call(unix.SYS_GETPPID); got <= 0 {
				t.Errorf("the other thread's call returns %d", got)
			}
			// Now it is the last one.
			if e := p.try(nativeEntry, nr, [6]uint64{}); e.died != unix.SIGSYS {
				t.Errorf("the last thread: %v", e)
			}
		})
	}
}
