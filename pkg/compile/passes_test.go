package compile

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
)

// TestPasses runs one pass over one program each.
func TestPasses(t *testing.T) {
	const (
		nr   = bpf.OffNr
		arch = bpf.OffArch
		low  = bpf.OffArgs
		high = bpf.OffArgs + 4
	)
	allow, deny, kill := bpf.RetAllow, bpf.Errno(1), bpf.RetKillThread
	for _, test := range []struct {
		name   string
		pass   pass
		before func(*raw) ref
		after  string
	}{
		{
			name: "greater is greater or equal to the next",
			pass: normalizeTests,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JGT, 5, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a >= 0x6 goto 2 else 3
2: return ALLOW
3: return ERRNO(1)
`,
		},
		{
			name: "nothing is greater than all",
			pass: normalizeTests,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JGT, 0xffffffff, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a > 0xffffffff goto 2 else 2
2: return ERRNO(1)
`,
		},
		{
			name: "at least 1 is not 0",
			pass: normalizeTests,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JGE, 1, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a == 0x0 goto 2 else 3
2: return ERRNO(1)
3: return ALLOW
`,
		},
		{
			name: "any bit is not 0",
			pass: normalizeTests,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JSET, 0xffffffff, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a == 0x0 goto 2 else 3
2: return ERRNO(1)
3: return ALLOW
`,
		},
		{
			name: "the highest bit is the upper half",
			pass: normalizeTests,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JSET, 0x80000000, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a >= 0x80000000 goto 2 else 3
2: return ALLOW
3: return ERRNO(1)
`,
		},
		{
			name: "what a test has shown need not be tested again",
			pass: threadJumps,
			before: func(c *raw) ref {
				again := c.jump(bpf.JGE, 10, c.ret(kill), c.ret(allow))
				return c.load(nr, c.jump(bpf.JEQ, 5, again, c.ret(deny)))
			},
			after: `
0: a = nr
1: if a == 0x5 goto 2 else 3
2: return ALLOW
3: return ERRNO(1)
`,
		},
		{
			name: "not even behind loads, of a word that was looked at before",
			pass: threadJumps,
			before: func(c *raw) ref {
				second := c.load(high, c.jump(bpf.JEQ, 0, c.load(low, c.jump(bpf.JEQ, 2, c.ret(kill), c.ret(deny))), c.ret(deny)))
				return c.load(high, c.jump(bpf.JEQ, 0, c.load(low, c.jump(bpf.JEQ, 1, c.ret(allow), second)), second))
			},
			after: `
0: a = args[0][4]
1: if a == 0x0 goto 3 else 2
2: return ERRNO(1)
3: a = args[0][0]
4: if a == 0x1 goto 5 else 6
5: return ALLOW
6: if a == 0x2 goto 7 else 8
7: return KILL_THREAD
8: return ERRNO(1)
`,
		},
		{
			name: "bits that were found to be 0 stay 0",
			pass: threadJumps,
			before: func(c *raw) ref {
				again := c.jump(bpf.JSET, 0x10, c.ret(kill), c.ret(allow))
				return c.load(nr, c.jump(bpf.JSET, 0x30, c.ret(deny), again))
			},
			after: `
0: a = nr
1: if a & 0x30 goto 2 else 3
2: return ERRNO(1)
3: return ALLOW
`,
		},
		{
			name: "what only one of two ways has shown is tested",
			pass: threadJumps,
			before: func(c *raw) ref {
				again := c.load(nr, c.jump(bpf.JEQ, 5, c.ret(kill), c.ret(allow)))
				return c.load(nr, c.jump(bpf.JGE, 5, c.load(arch, c.jump(bpf.JEQ, 1, again, c.ret(deny))), again))
			},
			after: `
0: a = nr
1: if a >= 0x5 goto 2 else 8
2: a = arch
3: if a == 0x1 goto 5 else 4
4: return ERRNO(1)
5: a = nr
6: if a == 0x5 goto 7 else 8
7: return KILL_THREAD
8: return ALLOW
`,
		},
		{
			name: "a masked word is not the word",
			pass: threadJumps,
			before: func(c *raw) ref {
				again := c.mask(0xf, c.jump(bpf.JEQ, 5, c.ret(kill), c.ret(allow)))
				return c.load(nr, c.jump(bpf.JEQ, 0x15, again, c.ret(deny)))
			},
			after: `
0: a = nr
1: if a == 0x15 goto 3 else 2
2: return ERRNO(1)
3: a &= 0xf
4: if a == 0x5 goto 5 else 6
5: return KILL_THREAD
6: return ALLOW
`,
		},
		{
			name: "what A holds need not be loaded",
			pass: dropLoads,
			before: func(c *raw) ref {
				again := c.load(nr, c.jump(bpf.JEQ, 7, c.ret(kill), c.ret(allow)))
				return c.load(nr, c.jump(bpf.JGE, 5, again, c.ret(deny)))
			},
			after: `
0: a = nr
1: if a >= 0x5 goto 3 else 2
2: return ERRNO(1)
3: if a == 0x7 goto 4 else 5
4: return KILL_THREAD
5: return ALLOW
`,
		},
		{
			name: "what a mask took from A must be loaded",
			pass: dropLoads,
			before: func(c *raw) ref {
				again := c.load(nr, c.jump(bpf.JEQ, 7, c.ret(kill), c.ret(allow)))
				return c.load(nr, c.mask(0xf, c.jump(bpf.JEQ, 5, again, c.ret(deny))))
			},
			after: `
0: a = nr
1: a &= 0xf
2: if a == 0x5 goto 4 else 3
3: return ERRNO(1)
4: a = nr
5: if a == 0x7 goto 6 else 7
6: return KILL_THREAD
7: return ALLOW
`,
		},
		{
			name: "what nobody looks at need not be loaded",
			pass: dropLoads,
			before: func(c *raw) ref {
				return c.load(arch, c.jump(bpf.JEQ, 1, c.load(nr, c.load(low, c.jump(bpf.JEQ, 2, c.load(nr, c.ret(allow)), c.ret(deny)))), c.ret(deny)))
			},
			after: `
0: a = arch
1: if a == 0x1 goto 3 else 2
2: return ERRNO(1)
3: a = args[0][0]
4: if a == 0x2 goto 5 else 6
5: return ALLOW
6: return ERRNO(1)
`,
		},
		{
			name: "equal ends are one",
			pass: mergeTails,
			before: func(c *raw) ref {
				tail := func() ref { return c.load(low, c.jump(bpf.JEQ, 3, c.ret(allow), c.ret(deny))) }
				return c.load(nr, c.jump(bpf.JGE, 9, tail(), c.jump(bpf.JEQ, 1, tail(), c.ret(kill))))
			},
			after: `
0: a = nr
1: if a >= 0x9 goto 4 else 2
2: if a == 0x1 goto 4 else 3
3: return KILL_THREAD
4: a = args[0][0]
5: if a == 0x3 goto 6 else 7
6: return ALLOW
7: return ERRNO(1)
`,
		},
		{
			name: "a test between equal ends is none",
			pass: mergeTails,
			before: func(c *raw) ref {
				return c.load(nr, c.jump(bpf.JEQ, 1, c.ret(allow), c.jump(bpf.JEQ, 2, c.ret(allow), c.ret(allow))))
			},
			after: `
0: a = nr
1: return ALLOW
`,
		},
		{
			name: "what nothing leads to goes",
			pass: dropDead,
			before: func(c *raw) ref {
				c.load(low, c.ret(kill))
				return c.load(nr, c.jump(bpf.JEQ, 1, c.ret(allow), c.ret(deny)))
			},
			after: `
0: a = nr
1: if a == 0x1 goto 2 else 3
2: return ALLOW
3: return ERRNO(1)
`,
		},
	} {
		t.Run(nameOf(test.pass)+"/"+test.name, func(t *testing.T) {
			var c raw
			test.before(&c)
			before := layout(live(steps(c)))
			p, changed := test.pass(append(steps(nil), c...))
			after := layout(live(p))
			if got := "\n" + after.String(); got != test.after {
				t.Errorf("got %s\nwant %s", got, test.after)
			}
			if want := !reflect.DeepEqual(before, after) || len(live(steps(c))) < len(c); changed != want {
				t.Errorf("says changed %t, want %t", changed, want)
			}
			if _, again := test.pass(p); again {
				t.Error("changes its own result")
			}
			for _, d := range [...]bpf.Data{{}, {Nr: 1}, {Nr: 2}, {Nr: 5}, {Nr: 0x15}, {Nr: 9, Arch: 1}, {Nr: 0xffffffff}} {
				for _, d.Args[0] = range [...]uint64{0, 1, 2, 3, 1 << 32} {
					w := d.Words(bpf.Little)
					a, _, aErr := before.RunCount(&w)
					b, n, bErr := after.RunCount(&w)
					if a != b || aErr != nil || bErr != nil || n > len(after) {
						t.Errorf("%+v: %s (%v) became %s (%v)", d, a, aErr, b, bErr)
					}
				}
			}
		})
	}
}

// live returns a copy of what can be reached of p.
func live(p steps) steps {
	p, _ = dropDead(append(steps(nil), p...))
	return p
}

func nameOf(p pass) string {
	name := runtime.FuncForPC(reflect.ValueOf(p).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// raw is steps as they are made, with none merged.
type raw steps

func (c *raw) add(s step) ref {
	*c = append(*c, s)
	return ref(len(*c) - 1)
}

func (c *raw) ret(r bpf.Return) ref {
	return c.add(step{op: opReturn, k: uint32(r), then: none, otherwise: none})
}

func (c *raw) load(offset uint32, then ref) ref {
	return c.add(step{op: opLoad, k: offset, then: then, otherwise: none})
}

func (c *raw) mask(k uint32, then ref) ref {
	return c.add(step{op: opMask, k: k, then: then, otherwise: none})
}

func (c *raw) jump(op uint16, k uint32, then, otherwise ref) ref {
	return c.add(step{op: bpf.JMP | op | bpf.K, k: k, then: then, otherwise: otherwise})
}

// TestLayout brings near what is too far for a jump.
func TestLayout(t *testing.T) {
	var c raw
	allow, deny := c.ret(bpf.RetAllow), c.ret(bpf.Errno(1))
	far := c.load(bpf.OffArgs, c.jump(bpf.JEQ, 1, allow, deny))
	last := far
	for i := range uint32(600) {
		last = c.jump(bpf.JEQ, i+1, far, last)
		if i%3 == 0 {
			last = c.jump(bpf.JGE, 10000-i, deny, last)
		}
	}
	p := layout(live(append(steps(c), step{op: opLoad, k: bpf.OffNr, then: last, otherwise: none})))
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, in := range p {
		switch in.Code {
		case bpf.JMP | bpf.JA:
			count["goto"]++
		case bpf.RET | bpf.K:
			count[in.String()]++
		}
	}
	// 800 steps over which far and deny are needed everywhere: something every
	// 250 of them.
	if got, want := fmt.Sprint(count), "map[goto:3 return ALLOW:1 return ERRNO(1):4]"; got != want {
		t.Errorf("layout needs %s, want %s", got, want)
	}
	for nr := range uint32(10003) {
		d := bpf.Data{Nr: nr, Args: [6]uint64{1}}
		want := bpf.RetAllow
		for i := range uint32(600) {
			if i%3 == 0 && nr >= 10000-i {
				want = bpf.Errno(1)
			}
		}
		w := d.Words(bpf.Little)
		if got, err := p.Run(&w); got != want || err != nil {
			t.Fatalf("call %d gets %s (%v), want %s", nr, got, err, want)
		}
	}
}
