package precompute_test

import (
	"fmt"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
)

// denyMount lets everything pass but mount(2), which fails, and personality(2)
// with an argument of other than 8.
var denyMount = bpf.Program{
	bpf.Load(bpf.OffArch),
	bpf.Jump(bpf.JEQ, 0xc000003e, 1, 0),
	bpf.Ret(bpf.RetKillProcess),
	bpf.Load(bpf.OffNr),
	bpf.Jump(bpf.JEQ, 165, 3, 0),
	bpf.Jump(bpf.JEQ, 135, 0, 3),
	bpf.Load(bpf.OffArgs),
	bpf.Jump(bpf.JEQ, 8, 1, 0),
	bpf.Ret(bpf.Errno(1)),
	bpf.Ret(bpf.RetAllow),
}

// What a program does with every call number of an architecture, and why the
// kernel does not cache it.
func Example() {
	table, err := precompute.NewTable(denyMount, 0xc000003e)
	if err != nil {
		fmt.Println(err)
		return
	}
	for r := range table.Ranges() {
		action := "depends on arguments"
		if r.Outcome.Constant {
			action = r.Outcome.Return.String()
		}
		if why := table.Why(r.Outcome); why != "" {
			action += ", not cached: " + why
		}
		fmt.Printf("%3d to %10d: %s\n", r.First, r.Last, action)
	}

	// The same in numbers, for all calls that there are, on Linux 6.12.
	kernel, err := precompute.KernelFor("6.12", 0xc000003e)
	if err != nil {
		fmt.Println(err)
		return
	}
	x86, _ := arch.ByName("x86_64")
	s := precompute.Count(x86, kernel, table)
	fmt.Printf("%s: %d dynamic, all others constant: %v\n", s.Arch, s.Dynamic, s.Constant == s.Total-1)
	// Output:
	//   0 to        134: ALLOW
	// 135 to        135: depends on arguments, not cached: instruction 6: a = args[0][0]
	// 136 to        164: ALLOW
	// 165 to        165: ERRNO(1), not cached: action ERRNO(1)
	// 166 to 4294967295: ALLOW
	// x86_64: 1 dynamic, all others constant: true
}

// The table as the kernel prints it, and where it changes once a second filter
// is attached.
func ExampleKernel_Predict() {
	kernel, err := precompute.KernelFor("6.18", 0xc000003e)
	if err != nil {
		fmt.Println(err)
		return
	}
	one, err := kernel.Predict(denyMount)
	if err != nil {
		fmt.Println(err)
		return
	}
	two, err := kernel.Predict(denyMount, bpf.Program{
		bpf.Load(bpf.OffNr),
		bpf.Jump(bpf.JEQ, 39, 0, 1), // getpid
		bpf.Ret(bpf.RetLog),
		bpf.Ret(bpf.RetAllow),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range two.Tables {
		fmt.Printf("%s: %d of %d numbers\n", t.Name, t.Count(), t.Size)
	}
	for _, d := range one.Diff(two) {
		fmt.Println(d.Table, d.Nr)
	}
	// Output:
	// x86_64: 467 of 470 numbers
	// ia32: 0 of 470 numbers
	// x86_64 39
}

// A sandbox that answers system calls itself asks the chain of the calling
// thread, and does what follows.
func ExampleChain() {
	parent := precompute.NewChain(bpf.Little, 0xc000003e)
	if err := parent.Append(denyMount, precompute.FlagLog); err != nil {
		fmt.Println(err)
		return
	}
	child := parent.Clone()
	if err := child.Append(bpf.Program{bpf.Load(bpf.OffNr), bpf.Jump(bpf.JEQ, 165, 0, 1), bpf.Ret(bpf.RetTrap | 5), bpf.Ret(bpf.RetAllow)}, 0); err != nil {
		fmt.Println(err)
		return
	}
	mount := bpf.Data{Nr: 165, Arch: 0xc000003e, IP: 0x401002}
	for _, c := range []*precompute.Chain{parent, child} {
		d := c.Evaluate(&mount)
		e := c.Effect(d, &mount, precompute.Situation{})
		fmt.Printf("%d filters: %v by filter %d, program run: %v; %v, result %d, log %v\n", c.Len(), d.Return, d.Filter, !d.Constant, e.Next, e.Result, e.Log)
	}
	// Output:
	// 1 filters: ERRNO(1) by filter 0, program run: false; skip, result -1, log true
	// 2 filters: TRAP(5) by filter 1, program run: false; signal, result 0, log false
}

// The calls that share an action, as a set.
func ExampleTable_Select() {
	table, err := precompute.NewTable(denyMount, 0xc000003e)
	if err != nil {
		fmt.Println(err)
		return
	}
	allowed := table.Select(0, 469, precompute.Outcome.Cached)
	denied := table.Select(0, 469, func(o precompute.Outcome) bool { return o.Constant && o.Return == bpf.Errno(1) })
	fmt.Println("cached:", allowed)
	fmt.Println("denied:", denied)
	fmt.Println("neither:", precompute.Set{{First: 0, Last: 469}}.Minus(allowed).Minus(denied))
	fmt.Println(allowed.Count(), "calls cached")
	// Output:
	// cached: 0-134,136-164,166-469
	// denied: 165
	// neither: 135
	// 468 calls cached
}

// A task whose program carries code of another system: the calls of that code
// go to an emulator, the program's own to the kernel, if its filter lets them.
func ExampleTask() {
	const getpid, mount = 39, 165
	task := precompute.NewTask(precompute.NewChain(bpf.Little, 0xc000003e))
	if err := task.Append(denyMount, 0); err != nil {
		fmt.Println(err)
		return
	}
	text, err := precompute.NewMemoryAreas(precompute.Area{Start: 0x401000, End: 0x47d000})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := task.Emulate(text); err != nil {
		fmt.Println(err)
		return
	}
	show := func(nr uint32, ip uint64) {
		call := precompute.Call{Data: bpf.Data{Nr: nr, Arch: 0xc000003e, IP: ip}, Entry: precompute.EntrySyscall64}
		effect := task.Effect(task.Evaluate(&call), &call.Data, precompute.Situation{})
		fmt.Printf("call %d from %#x: %s", nr, ip, effect.Next)
		switch effect.Next {
		case precompute.Skip:
			fmt.Printf(" with %d", effect.Result)
		case precompute.Signal:
			fmt.Printf(" %d, code %d, from %#x", effect.Siginfo.Signo, effect.Siginfo.Code, effect.Siginfo.CallAddr)
		}
		fmt.Println()
	}
	show(getpid, 0x401234)
	show(mount, 0x401234)
	show(mount, 0x7f0000000007)
	task.Exec()
	show(mount, 0x7f0000000007)
	// Output:
	// call 39 from 0x401234: execute
	// call 165 from 0x401234: skip with -1
	// call 165 from 0x7f0000000007: signal 31, code 2, from 0x7f0000000007
	// call 165 from 0x7f0000000007: skip with -1
}
