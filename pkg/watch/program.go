//go:build linux

package watch

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// Calls have a slot each, so that counting one is an index into an array: three
// tables of numbers, native, compat and x32. Other numbers are in a hash map.
const (
	tableSize = 640
	slots     = 3 * tableSize
	noSlot    = ^uint32(0)
)

// The value of map calls: the gate, and the class of each slot. It is one page or
// two, because a page costs a call more than the instructions that look at it.
const (
	callsGate    = 0
	callsClasses = 8
	callsSize    = callsClasses + 4*slots
)

// Members of a counter, of which each CPU has one for each slot.
const (
	counterCached       = 8 * iota // executed: from the kernel's cache
	counterRan                     // executed: the program ran
	counterInstructions            // … for this many instructions
	counterUnfiltered              // executed: the task has no filter
	counterOther                   // executed, or with one tracepoint perhaps not: the task has other filters
	counterRefused                 // not executed: by other filters
	counterVerdict                 // the first verdict of a denied call, with verdictSet
	counterDenied                  // not executed: by that verdict
	counterSteps                   // … for this many instructions
	counterSize
)

// verdictSet is a bit above a verdict that is there.
const verdictSet = 1 << 32

// Bits of a slot's class.
const (
	classCached     = 1 << iota // the kernel's cache serves it
	classClobbering             // it leaves other registers behind
	classForking                // it ends in the child, too
	classEnding                 // it ends the task, and has no end of its own
	classArguments  = 1 << 8    // note argument 0; the next bits are for the others
)

// Members of a tally, which counts one verdict of one call: key and value.
const (
	tallyKeySize   = 16 // number, compat, verdict, executed
	tallyValueSize = 16 // count, instructions
)

// What a Watcher knows to be lost, by index.
const (
	lostCounts = iota
	lostEvents
	lostArguments
	lostMembers
	lostKinds
)

// States of a task that has other filters, or whose call leaves other registers
// behind; it is in none until its first call begins.
const (
	stateIdle    = 1
	stateEntered = 2
	stateOther   = 3 // with one tracepoint: it has other filters
)

// eventSize is the size of an event: a denied call.
const eventSize = 112

// Offsets in an event, from the structure seccomp_data on.
const (
	eventData    = 0
	eventTgid    = 64
	eventTid     = 68
	eventVerdict = 72
	eventCompat  = 76
	eventTime    = 80
	eventComm    = 88
	eventCount   = 104
)

// Offsets in the stack frame of all programs.
const (
	frameData    = -bpf.SizeOf
	frameScratch = frameData - 64
	frameSlot    = frameScratch - 8
	frameClass   = frameSlot - 8
	frameKey     = frameClass - 72
	frameValue   = frameKey - counterSize
	frameEvent   = frameValue - eventSize
)

// Registers that live through a program. Calls of helpers spare them.
const (
	regRegs   = asm.R6 // pt_regs
	regTask   = asm.R7 // task_struct
	regCompat = asm.R8 // 1 for a compat call
	regNumber = asm.R9
)

// way is how the executed calls are counted.
type way uint8

const (
	// atBegin: at the tracepoint for the begin of calls, where the registers are
	// the call's; the denied ones at the end. That is two tracepoints for each.
	atBegin way = iota
	// byFunctions: all of them at the end, but for sigreturn, which leaves nothing
	// of the call behind: at the kernel's functions that do it (fentry).
	byFunctions
	// byTracepoint: sigreturn by the tracepoint of its own that it has, which
	// costs other calls a look at their number, and which i386's has not.
	byTracepoint
)

func (w way) single() bool { return w != atBegin }

// returnTracepoint is sigreturn's, in the group "syscalls".
const returnTracepoint = "sys_enter_rt_sigreturn"

// builder makes the programs of a Watcher.
type builder struct {
	abi    *abi
	layout *layout
	maps   *maps
	o      *Options
	way    way
	// exclusive says that nobody outside of the scope has the filter, and so
	// nobody ever will: a filter is inherited, as membership is.
	exclusive bool
	code      asm.Instructions
	labels    int
	// mark is the name of the next instruction.
	mark string
}

// ways are those that would do, the cheapest first.
func (b *builder) ways() []way {
	if !b.o.judges() || mayPass(b.o.Programs) {
		return []way{atBegin}
	}
	var list []way
	if len(b.layout.returning) > 0 {
		list = append(list, byFunctions)
	}
	if !b.layout.x32 {
		list = append(list, byTracepoint)
	}
	return append(list, atBegin)
}

func (b *builder) add(list ...asm.Instruction) {
	for _, in := range list {
		if b.mark != "" {
			in = in.WithSymbol(b.mark)
			b.mark = ""
		}
		b.code = append(b.code, in)
	}
}

// here names what comes next.
func (b *builder) here(label string) {
	if b.mark != "" { // two names for one place
		b.add(asm.Mov.Imm(asm.R0, 0))
	}
	b.mark = label
}

func (b *builder) label() string {
	b.labels++
	return fmt.Sprintf("l%d", b.labels)
}

// finish ends a program; "exit" is where it leaves.
func (b *builder) finish(spec ebpf.ProgramSpec) *ebpf.ProgramSpec {
	b.here("exit")
	b.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
	spec.License, spec.Instructions = "Dual MIT/GPL", b.code
	b.code = nil
	return &spec
}

// atTracepoint ends a program at a tracepoint that has types.
func (b *builder) atTracepoint(name, tracepoint string) *ebpf.ProgramSpec {
	return b.finish(ebpf.ProgramSpec{Name: name, Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint})
}

// gate leaves unless the Watcher counts, so that all programs begin and end at
// one moment.
func (b *builder) gate() {
	b.add(
		asm.LoadMapValue(asm.R1, b.maps.calls.FD(), callsGate),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "exit"),
	)
}

// call begins a program at a tracepoint of calls: it sets the registers, and finds
// the call's class.
func (b *builder) call() {
	b.add(asm.LoadMem(regRegs, asm.R1, 0, asm.DWord))
	b.gate()
	b.add(
		asm.FnGetCurrentTaskBtf.Call(),
		asm.Mov.Reg(regTask, asm.R0),
	)
}

// classify finds the call's number, slot and class.
func (b *builder) classify() {
	b.add(b.abi.isCompat(b.layout)...)
	b.add(asm.LoadMem(regNumber, regRegs, b.layout.number, asm.Word))
	b.slot()
}

// scope leaves unless the task is in the scope.
func (b *builder) scope(kind scopeKind) {
	l, s := b.layout, &b.o.Scope
	switch kind {
	case scopeNamespace:
		b.add(
			asm.LoadMem(asm.R1, regTask, l.taskPID, asm.DWord),
			asm.JEq.Imm(asm.R1, 0, "exit"),
			asm.LoadMem(asm.R2, asm.R1, l.pidLevel, asm.Word),
			asm.JLT.Imm(asm.R2, int32(s.level), "exit"),
		)
		at := l.pidNumbers + int16(s.level)*l.upidSize + l.upidNS
		if !l.flexible {
			// The verifier takes the array for one of a single member.
			b.add(
				asm.Mov.Reg(asm.R3, asm.R1),
				asm.Add.Imm(asm.R3, int32(at)),
				asm.Mov.Imm(asm.R2, 8),
				asm.Mov.Reg(asm.R1, asm.RFP),
				asm.Add.Imm(asm.R1, frameKey),
				asm.FnProbeReadKernel.Call(),
				asm.LoadMem(asm.R3, asm.RFP, frameKey, asm.DWord),
				asm.Add.Imm(asm.R3, int32(l.nsInum)),
				asm.Mov.Imm(asm.R2, 4),
				asm.Mov.Reg(asm.R1, asm.RFP),
				asm.Add.Imm(asm.R1, frameKey),
				asm.FnProbeReadKernel.Call(),
				asm.LoadMem(asm.R1, asm.RFP, frameKey, asm.Word),
				asm.JNE.Imm32(asm.R1, int32(uint32(s.id)), "exit"),
			)
			return
		}
		b.add(asm.LoadMem(asm.R1, asm.R1, at, asm.DWord))
		b.add(
			asm.LoadMem(asm.R1, asm.R1, l.nsInum, asm.Word),
			asm.JNE.Imm32(asm.R1, int32(uint32(s.id)), "exit"),
		)
	case scopeCgroup:
		b.add(
			asm.Mov.Imm(asm.R1, int32(s.level)),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.LoadImm(asm.R1, int64(s.id), asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, "exit"),
		)
	default:
		b.add(
			asm.LoadMem(asm.R1, regTask, l.taskTgid, asm.Word),
			asm.StoreMem(asm.RFP, frameKey, asm.R1, asm.Word),
		)
		b.lookup(b.maps.members, frameKey)
		b.add(asm.JEq.Imm(asm.R0, 0, "exit"))
	}
}

// lookup leaves the address of a map's value in R0, 0 where there is none.
func (b *builder) lookup(m *ebpf.Map, key int16) {
	b.add(
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(key)),
		asm.FnMapLookupElem.Call(),
	)
}

// insert puts the value at frameValue into a map, by the key at frameKey, where
// there is none yet.
func (b *builder) insert(m *ebpf.Map) {
	const noExist = 1 // BPF_NOEXIST
	b.add(
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, frameKey),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, frameValue),
		asm.Mov.Imm(asm.R4, noExist),
		asm.FnMapUpdateElem.Call(),
	)
}

// zero clears the value at frameValue, in whole words of 64 bits.
func (b *builder) zero(size int) {
	b.add(asm.Mov.Imm(asm.R1, 0))
	for i := range int16(size / 8) {
		b.add(asm.StoreMem(asm.RFP, frameValue+8*i, asm.R1, asm.DWord))
	}
}

// slot finds the slot of the call, and its class.
func (b *builder) slot() {
	known, compat, done := b.label(), b.label(), b.label()
	b.add(
		asm.Mov.Reg32(asm.R1, regNumber),
		asm.JNE.Imm(regCompat, 0, compat),
	)
	if b.abi.x32 {
		b.add(
			asm.JLT.Imm32(asm.R1, tableSize, known),
			asm.Sub.Imm32(asm.R1, arch.X32Bit),
			asm.Mov.Imm32(asm.R2, 2*tableSize),
			asm.JLT.Imm32(asm.R1, tableSize, done),
		)
	} else {
		b.add(asm.JLT.Imm32(asm.R1, tableSize, known))
	}
	none := b.label()
	b.add(
		asm.Ja.Label(none),
		asm.Mov.Imm32(asm.R2, tableSize).WithSymbol(compat),
		asm.JLT.Imm32(asm.R1, tableSize, done),
		asm.Mov.Imm32(asm.R1, -1).WithSymbol(none),
		asm.Mov.Imm32(asm.R2, 0).WithSymbol(known),
		asm.Add.Reg32(asm.R1, asm.R2).WithSymbol(done),
		asm.Mov.Imm(asm.R3, 0),
		asm.StoreMem(asm.RFP, frameSlot, asm.R1, asm.DWord),
	)
	have := b.label()
	b.add(
		asm.JGE.Imm(asm.R1, slots, have),
		asm.LoadMapValue(asm.R2, b.maps.calls.FD(), callsClasses),
		asm.LSh.Imm(asm.R1, 2),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R3, asm.R2, 0, asm.Word),
		asm.StoreMem(asm.RFP, frameClass, asm.R3, asm.DWord).WithSymbol(have),
	)
}

// counter leaves the address of the call's counter in R0, and goes elsewhere
// where there is no room for one.
func (b *builder) counter() {
	have, strange, lost := b.label(), b.label(), "lost"
	b.add(
		asm.FnGetSmpProcessorId.Call(),
		asm.StoreMem(asm.RFP, frameKey, asm.R0, asm.Word),
	)
	b.lookup(b.maps.counters, frameKey)
	b.add(
		asm.JEq.Imm(asm.R0, 0, lost),
		asm.LoadMem(asm.R1, asm.RFP, frameSlot, asm.DWord),
		asm.JGE.Imm(asm.R1, slots, strange),
		asm.Mul.Imm(asm.R1, counterSize),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.Ja.Label(have),
	)
	b.here(strange)
	b.add(
		asm.StoreMem(asm.RFP, frameKey, regNumber, asm.Word),
		asm.StoreMem(asm.RFP, frameKey+4, regCompat, asm.Word),
	)
	b.lookup(b.maps.strange, frameKey)
	b.add(asm.JNE.Imm(asm.R0, 0, have))
	b.zero(counterSize)
	b.insert(b.maps.strange)
	b.lookup(b.maps.strange, frameKey)
	b.add(asm.JEq.Imm(asm.R0, 0, lost))
	b.here(have)
}

// bump adds one to a member of what R0 points to.
func (b *builder) bump(member int16) {
	b.add(
		asm.LoadMem(asm.R1, asm.R0, member, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, member, asm.R1, asm.DWord),
	)
}

// lost ends the programs that count: what had no place is counted too.
func (b *builder) lost() {
	b.add(asm.Ja.Label("exit"))
	b.here("lost")
	b.lose(lostCounts)
}

func (b *builder) lose(kind int32) {
	done := b.label()
	b.add(asm.StoreImm(asm.RFP, frameSlot, int64(kind), asm.Word))
	b.lookup(b.maps.lost, frameSlot)
	b.add(asm.JEq.Imm(asm.R0, 0, done))
	b.bump(0)
	b.here(done)
}

// filters goes to a label for tasks without a filter, and to "other" for those
// that have others than the container.
func (b *builder) filters(none string) {
	if !b.o.judges() {
		b.add(asm.Ja.Label("other"))
		return
	}
	b.add(
		asm.LoadMem(asm.R1, regTask, b.layout.taskFilter, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, none),
		asm.LoadImm(asm.R2, int64(b.o.Filter), asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "other"),
	)
}

// data writes the call's struct seccomp_data, as populate_seccomp_data in
// kernel/seccomp.c.
func (b *builder) data() {
	l := b.layout
	compat, done := b.label(), b.label()
	b.add(
		asm.StoreMem(asm.RFP, frameData+bpf.OffNr, regNumber, asm.Word),
		asm.LoadMem(asm.R1, regRegs, l.pointer, asm.DWord),
		asm.StoreMem(asm.RFP, frameData+bpf.OffIP, asm.R1, asm.DWord),
		asm.JNE.Imm(regCompat, 0, compat),
		asm.Mov.Imm32(asm.R1, int32(b.abi.native)),
		asm.StoreMem(asm.RFP, frameData+bpf.OffArch, asm.R1, asm.Word),
	)
	for i, from := range l.args {
		b.add(
			asm.LoadMem(asm.R1, regRegs, from, asm.DWord),
			asm.StoreMem(asm.RFP, frameData+bpf.OffArgs+8*int16(i), asm.R1, asm.DWord),
		)
	}
	b.add(
		asm.Ja.Label(done),
		asm.Mov.Imm32(asm.R1, int32(b.abi.compat)).WithSymbol(compat),
		asm.StoreMem(asm.RFP, frameData+bpf.OffArch, asm.R1, asm.Word),
	)
	for i, from := range l.compatArgs {
		b.add(
			asm.LoadMem(asm.R1, regRegs, from, asm.DWord),
			asm.StoreMem(asm.RFP, frameData+bpf.OffArgs+8*int16(i), asm.R1, asm.DWord),
		)
	}
	b.here(done)
}

// judge runs the container's filters on the call.
func (b *builder) judge() error {
	chain, err := translateChain(b.label(), b.o.Programs, frameData, frameScratch)
	if err != nil {
		return err
	}
	b.add(chain...)
	return nil
}

// tally counts a verdict, which is in regVerdict and took regCount instructions,
// and leaves the count of this CPU in R1.
func (b *builder) tally(executed int64) {
	have := b.label()
	b.add(
		asm.StoreMem(asm.RFP, frameKey, regNumber, asm.Word),
		asm.StoreMem(asm.RFP, frameKey+4, regCompat, asm.Word),
		asm.StoreMem(asm.RFP, frameKey+8, regVerdict, asm.Word),
		asm.StoreImm(asm.RFP, frameKey+12, executed, asm.Word),
		asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.Word),
		asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
	)
	b.lookup(b.maps.tallies, frameKey)
	b.add(asm.JNE.Imm(asm.R0, 0, have))
	b.zero(tallyValueSize)
	b.insert(b.maps.tallies)
	b.lookup(b.maps.tallies, frameKey)
	b.add(asm.JEq.Imm(asm.R0, 0, "lost"))
	b.here(have)
	b.add(
		asm.LoadMem(asm.R2, asm.R0, 8, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, frameEvent+eventCount, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R0, 8, asm.R2, asm.DWord),
	)
	b.bump(0)
}

// state leaves the address of the task's state in R0, 0 where it has none and
// none is made.
func (b *builder) state(create bool) {
	flags := int32(0)
	if create {
		flags = 1 // BPF_LOCAL_STORAGE_GET_F_CREATE
	}
	b.add(
		asm.LoadMapPtr(asm.R1, b.maps.states.FD()),
		asm.Mov.Reg(asm.R2, regTask),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, flags),
		asm.FnTaskStorageGet.Call(),
	)
}

// setState sets the state that R0 points to.
func (b *builder) setState(to int64) { b.add(asm.StoreImm(asm.R0, 0, to, asm.Word)) }

// entered notes that the task's call is executed.
func (b *builder) entered() {
	b.state(true)
	b.add(asm.JEq.Imm(asm.R0, 0, "lost"))
	b.setState(stateEntered)
}

// arguments notes which arguments the call has, where they are asked for.
func (b *builder) arguments() {
	if len(b.o.Arguments) == 0 {
		return
	}
	none := b.label()
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.RSh.Imm(asm.R1, 8),
		asm.JEq.Imm(asm.R1, 0, none),
	)
	b.data()
	b.add(
		asm.StoreMem(asm.RFP, frameKey, regNumber, asm.Word),
		asm.StoreMem(asm.RFP, frameKey+4, regCompat, asm.Word),
	)
	for i := range int16(6) {
		keep := b.label()
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameData+bpf.OffArgs+8*i, asm.DWord),
			asm.LoadMem(asm.R2, asm.RFP, frameClass, asm.DWord),
			asm.JSet.Imm(asm.R2, classArguments<<i, keep),
			asm.Mov.Imm(asm.R1, 0),
			asm.StoreMem(asm.RFP, frameKey+8+8*i, asm.R1, asm.DWord).WithSymbol(keep),
		)
	}
	b.lookup(b.maps.arguments, frameKey)
	b.add(asm.JNE.Imm(asm.R0, 0, none))
	b.zero(8)
	b.insert(b.maps.arguments)
	b.add(
		asm.JEq.Imm(asm.R0, 0, none),
		asm.JEq.Imm(asm.R0, -17, none), // EEXIST: another CPU was faster
	)
	b.lookup(b.maps.overflown, frameSlot)
	b.add(
		asm.JEq.Imm(asm.R0, 0, none),
		asm.StoreImm(asm.R0, 0, 1, asm.Word),
	)
	b.here(none)
}

// programs makes the programs that a Watcher needs.
func (b *builder) programs() ([]*ebpf.ProgramSpec, error) {
	var list []*ebpf.ProgramSpec
	var err error
	add := func(make func() (*ebpf.ProgramSpec, error)) {
		if err == nil {
			var p *ebpf.ProgramSpec
			p, err = make()
			list = append(list, p)
		}
	}
	switch b.way {
	case byFunctions:
		for _, function := range b.layout.returning {
			add(func() (*ebpf.ProgramSpec, error) {
				return b.begun(ebpf.ProgramSpec{Name: "calls_return", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: function})
			})
		}
	case byTracepoint:
		add(func() (*ebpf.ProgramSpec, error) {
			return b.begun(ebpf.ProgramSpec{Name: "calls_return", Type: ebpf.TracePoint})
		})
	}
	if b.way.single() {
		// A program that is executed renames its task: after that execve cannot
		// fail, and before it changes registers (begin_new_exec in fs/exec.c).
		add(func() (*ebpf.ProgramSpec, error) {
			return b.begun(ebpf.ProgramSpec{Name: "calls_execute", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "task_rename"})
		})
		add(b.count)
	} else {
		add(b.enter)
		add(b.leave)
	}
	if b.o.judges() || b.o.Scope.listed() {
		add(b.end)
	}
	if b.o.Scope.listed() {
		list = append(list, b.fork())
	}
	if b.o.Scope.kind == scopeStarted {
		list = append(list, b.start())
	}
	return list, err
}

// mayPass says that a filter may leave a call to a tracer or an agent; that it was
// executed is known at its begin alone.
func mayPass(programs []bpf.Program) bool {
	for _, p := range programs {
		reached := reachable(p)
		for i, in := range p {
			if !reached[i] {
				continue
			}
			switch in.Code {
			case bpf.RET | bpf.A:
				return true
			case bpf.RET | bpf.K:
				switch bpf.Return(in.K).Action() {
				case bpf.RetTrace, bpf.RetUserNotif:
					return true
				}
			}
		}
	}
	return false
}

// enter is the program at the begin of calls, where those arrive that are
// executed.
func (b *builder) enter() (*ebpf.ProgramSpec, error) {
	b.call()
	b.scope(b.o.Scope.kind)
	b.classify()
	b.arguments()
	b.filters("none")
	if b.o.judges() {
		uncached, unclobbered := b.label(), b.label()
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
			asm.JSet.Imm(asm.R1, classClobbering, "clobbering"),
		)
		b.here(unclobbered)
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
			asm.And.Imm(asm.R1, classCached),
			asm.JEq.Imm(asm.R1, 0, uncached),
		)
		b.cached()

		b.here(uncached)
		b.data()
		if err := b.judge(); err != nil {
			return nil, err
		}
		b.add(
			asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.Word),
			asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
		)
		b.ran()
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameKey+8, asm.Word),
			asm.And.Imm32(asm.R1, -0x10000), // the action
			asm.JEq.Imm32(asm.R1, int32(bpf.RetLog), "exit"),
		)
		// Where the call is executed although the verdict is another one, a
		// tracer or an agent has let it; without this its end could be that of
		// a call which they have not.
		b.entered()
		b.add(asm.Ja.Label("exit"))

		b.here("clobbering")
		b.entered()
		b.add(asm.Ja.Label(unclobbered))

		b.here("none")
		b.counter()
		b.bump(counterUnfiltered)
		b.add(asm.Ja.Label("exit"))
	}
	b.here("other")
	b.entered()
	b.counter()
	b.bump(counterOther)
	b.lost()
	return b.atTracepoint("calls_begin", "sys_enter"), nil
}

// count is the program at the end of calls where that tracepoint is the only one:
// it counts the executed calls too. Their registers are those that the call had,
// but of those few that begun has counted before it changed them.
func (b *builder) count() (*ebpf.ProgramSpec, error) {
	b.call()
	mine, marked, unmarked, plain, uncached, allowed := b.label(), b.label(), b.label(), b.label(), b.label(), b.label()
	if b.exclusive {
		b.add(
			asm.LoadMem(asm.R1, regTask, b.layout.taskFilter, asm.DWord),
			asm.LoadImm(asm.R2, int64(b.o.Filter), asm.DWord),
			asm.JEq.Reg(asm.R1, asm.R2, mine),
		)
	}
	b.scope(b.o.Scope.kind)
	b.here(mine)
	b.classify()
	b.add(
		asm.JEq.Imm32(regNumber, -1, marked), // what sigreturn leaves behind
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.JSet.Imm(asm.R1, classClobbering, marked),
	)
	b.here(plain)
	b.filters("none")
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.JSet.Imm(asm.R1, classForking, uncached),
		asm.And.Imm(asm.R1, classCached),
		asm.JEq.Imm(asm.R1, 0, uncached),
	)
	b.cached()

	b.here(marked)
	b.state(false)
	b.add(
		asm.JEq.Imm(asm.R0, 0, unmarked),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.JNE.Imm(asm.R1, stateEntered, unmarked),
	)
	b.setState(stateIdle)
	b.add(asm.Ja.Label("exit"))

	b.here(unmarked)
	if b.way == byTracepoint {
		// It may be i386's sigreturn, or the number -1: there is no telling.
		b.add(
			asm.JEq.Imm(regCompat, 0, plain),
			asm.JEq.Imm32(regNumber, -1, "lost"),
		)
	}
	b.add(asm.Ja.Label(plain))

	b.here(uncached)
	b.data()
	if err := b.judge(); err != nil {
		return nil, err
	}
	b.add(
		asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.DWord),
		asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
		asm.Mov.Reg32(asm.R1, regVerdict),
		asm.And.Imm32(asm.R1, -0x10000), // the action
		asm.JEq.Imm32(asm.R1, int32(bpf.RetAllow), allowed),
		asm.JEq.Imm32(asm.R1, int32(bpf.RetLog), allowed),
	)
	b.refuse()
	b.add(asm.Ja.Label("exit"))

	b.here(allowed)
	b.unbegun()
	b.executed()

	b.here("none")
	b.unbegun()
	b.counter()
	b.bump(counterUnfiltered)
	b.add(asm.Ja.Label("exit"))

	b.here("other")
	b.state(true)
	b.add(asm.JEq.Imm(asm.R0, 0, "lost"))
	b.setState(stateOther)
	b.unbegun()
	b.counter()
	b.bump(counterOther)
	b.lost()
	return b.atTracepoint("calls_end", "sys_exit"), nil
}

// unbegun leaves at an end that is none of a call of the task's own: a child's
// first, and a new program's where begun has not seen the call.
func (b *builder) unbegun() {
	whole := b.label()
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.And.Imm(asm.R1, classForking|classClobbering),
		asm.JEq.Imm(asm.R1, 0, whole),
		asm.LoadMem(asm.R1, regRegs, b.layout.result, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "exit"),
	)
	b.here(whole)
}

// executed counts an executed call, whose verdict and count are in the event's
// place, and leaves.
func (b *builder) executed() {
	uncached := b.label()
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.And.Imm(asm.R1, classCached),
		asm.JEq.Imm(asm.R1, 0, uncached),
	)
	b.cached()
	b.here(uncached)
	b.ran()
	b.add(asm.Ja.Label("exit"))
}

// cached counts a call that the kernel's cache answers, and leaves.
func (b *builder) cached() {
	b.counter()
	b.bump(counterCached)
	b.add(asm.Ja.Label("exit"))
}

// ran counts a call for which the filters ran, whose verdict and count are in the
// event's place; it leaves where the verdict is to allow it.
func (b *builder) ran() {
	b.counter()
	b.bump(counterRan)
	b.add(
		asm.LoadMem(asm.R1, asm.R0, counterInstructions, asm.DWord),
		asm.LoadMem(regCount, asm.RFP, frameEvent+eventCount, asm.DWord),
		asm.Add.Reg(asm.R1, regCount),
		asm.StoreMem(asm.R0, counterInstructions, asm.R1, asm.DWord),
		asm.LoadMem(regVerdict, asm.RFP, frameEvent+eventVerdict, asm.Word),
		asm.JEq.Imm32(regVerdict, int32(bpf.RetAllow), "exit"),
	)
	b.tally(1)
}

// begun is a program at the begin, or in the midst, of a call that leaves other
// registers behind. The registers are still the call's.
func (b *builder) begun(spec ebpf.ProgramSpec) (*ebpf.ProgramSpec, error) {
	b.gate()
	b.current()
	b.scope(b.o.Scope.kind)
	b.classify()
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.And.Imm(asm.R1, classClobbering),
		asm.JEq.Imm(asm.R1, 0, "exit"), // prctl sets a name too
	)
	b.entered()
	b.filters("none")
	b.data()
	if err := b.judge(); err != nil {
		return nil, err
	}
	b.add(
		asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.DWord),
		asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
	)
	b.executed()
	b.here("none")
	b.counter()
	b.bump(counterUnfiltered)
	b.add(asm.Ja.Label("exit"))
	b.here("other")
	b.counter()
	b.bump(counterOther)
	b.lost()
	return b.finish(spec), nil
}

// current sets the registers to the current task's.
func (b *builder) current() {
	b.add(
		asm.FnGetCurrentTaskBtf.Call(),
		asm.Mov.Reg(regTask, asm.R0),
		asm.Mov.Reg(asm.R1, regTask),
		asm.FnTaskPtRegs.Call(),
		asm.Mov.Reg(regRegs, asm.R0),
	)
}

// leave is the program at the end of calls, where those arrive too that are not
// executed.
func (b *builder) leave() (*ebpf.ProgramSpec, error) {
	b.call()
	b.classify()
	if b.o.judges() {
		// Most calls are of this kind, whoever makes them: it is quicker to see
		// than who that is. Tasks with other filters have states.
		rest := b.label()
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
			asm.And.Imm(asm.R1, classCached|classClobbering),
			asm.JNE.Imm(asm.R1, classCached, rest),
			asm.LoadMem(asm.R1, regTask, b.layout.taskFilter, asm.DWord),
			asm.LoadImm(asm.R2, int64(b.o.Filter), asm.DWord),
			asm.JEq.Reg(asm.R1, asm.R2, "exit"),
		)
		b.here(rest)
	}
	b.scope(b.o.Scope.kind)
	b.filters("exit")
	if b.o.judges() {
		left := b.label()
		b.data()
		if err := b.judge(); err != nil {
			return nil, err
		}
		b.add(
			asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.DWord),
			asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
			asm.Mov.Reg32(asm.R1, regVerdict),
			asm.And.Imm32(asm.R1, -0x10000), // the action
		)
		denied, allowed := b.label(), b.label()
		b.add(
			asm.JEq.Imm32(asm.R1, int32(bpf.RetAllow), allowed),
			asm.JNE.Imm32(asm.R1, int32(bpf.RetLog), denied),
			// The call was executed. Sigreturn leaves no number behind.
			asm.JEq.Imm32(regNumber, -1, left).WithSymbol(allowed),
			asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
			asm.JSet.Imm(asm.R1, classClobbering, left),
			asm.Ja.Label("exit"),
		)
		b.here(left)
		b.state(false)
		b.add(asm.JEq.Imm(asm.R0, 0, "exit"))
		b.setState(stateIdle)
		b.add(asm.Ja.Label("exit"))

		b.here(denied)
		b.state(false)
		refused := b.label()
		b.add(
			asm.JEq.Imm(asm.R0, 0, refused),
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.JNE.Imm(asm.R1, stateEntered, refused),
		)
		b.setState(stateIdle)
		b.add(asm.Ja.Label("exit"))
		b.here(refused)
		// A fork that an agent or a tracer has let pass ends in the child too,
		// which has no state.
		ours := b.label()
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
			asm.And.Imm(asm.R1, classForking),
			asm.JEq.Imm(asm.R1, 0, ours),
			asm.LoadMem(asm.R1, asm.RFP, frameEvent+eventVerdict, asm.Word),
			asm.JLT.Imm32(asm.R1, int32(bpf.RetUserNotif), ours),
			asm.JGE.Imm32(asm.R1, int32(bpf.RetLog), ours),
			asm.LoadMem(asm.R1, regRegs, b.layout.result, asm.DWord),
			asm.JEq.Imm(asm.R1, 0, "exit"),
		)
		b.here(ours)
		b.refuse()
		b.add(asm.Ja.Label("exit"))
	}
	b.here("other")
	b.state(true)
	b.add(
		asm.JEq.Imm(asm.R0, 0, "lost"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
	)
	b.setState(stateIdle)
	b.add(asm.JNE.Imm(asm.R1, stateIdle, "exit")) // it was executed, or is the first end of all
	b.counter()
	b.bump(counterRefused)
	b.lost()
	return b.atTracepoint("calls_end", "sys_exit"), nil
}

// refuse counts and tells a denied call, whose verdict and count are in the
// event's place.
func (b *builder) refuse() {
	told, apart := b.label(), b.label()
	b.counter()
	b.add(
		asm.LoadMem(asm.R2, asm.RFP, frameEvent+eventVerdict, asm.Word),
		asm.LoadImm(asm.R1, verdictSet, asm.DWord),
		asm.Or.Reg(asm.R2, asm.R1),
		asm.LoadMem(asm.R1, asm.R0, counterVerdict, asm.DWord),
		asm.JEq.Reg(asm.R1, asm.R2, told),
		asm.JNE.Imm(asm.R1, 0, apart),
		asm.StoreMem(asm.R0, counterVerdict, asm.R2, asm.DWord),
	)
	b.here(told)
	counted := b.label()
	b.add(
		asm.LoadMem(asm.R2, asm.R0, counterSteps, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, frameEvent+eventCount, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.R0, counterSteps, asm.R2, asm.DWord),
	)
	b.bump(counterDenied)
	b.add(
		asm.Ja.Label(counted),
		asm.LoadMem(regVerdict, asm.RFP, frameEvent+eventVerdict, asm.Word).WithSymbol(apart),
		asm.LoadMem(regCount, asm.RFP, frameEvent+eventCount, asm.DWord),
	)
	b.tally(0)
	// R1 is the count.
	b.here(counted)
	if b.o.Samples >= 0 {
		b.add(asm.JGT.Imm(asm.R1, int32(b.o.Samples), "exit"))
	}
	for word := range int16(bpf.SizeOf / 8) {
		b.add(
			asm.LoadMem(asm.R1, asm.RFP, frameData+8*word, asm.DWord),
			asm.StoreMem(asm.RFP, frameEvent+eventData+8*word, asm.R1, asm.DWord),
		)
	}
	b.add(
		asm.StoreMem(asm.RFP, frameEvent+eventCompat, regCompat, asm.Word),
		asm.LoadMem(asm.R1, regTask, b.layout.taskTgid, asm.Word),
		asm.StoreMem(asm.RFP, frameEvent+eventTgid, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, regTask, b.layout.taskTid, asm.Word),
		asm.StoreMem(asm.RFP, frameEvent+eventTid, asm.R1, asm.Word),
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.RFP, frameEvent+eventTime, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, frameEvent+eventComm),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call(),
		asm.LoadMapPtr(asm.R1, b.maps.events.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, frameEvent),
		asm.Mov.Imm(asm.R3, eventSize),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
	)
	b.lose(lostEvents)
}

// end is the program at the end of tasks. A thread that KILL_THREAD ends, and
// that is not the last one of its process, does not come back to the end of its
// call (__seccomp_filter in kernel/seccomp.c). It has the signal SIGSYS as its
// exit code, and the result of a call that has not been made yet; where a signal
// has killed it instead, the call's number is there (syscall_rollback).
func (b *builder) end() (*ebpf.ProgramSpec, error) {
	const sigsys, enosys = 31, 38
	forget, alive := b.label(), b.label()
	b.gate()
	b.current()
	b.scope(b.o.Scope.kind)
	if b.o.judges() {
		b.classify()
		if b.way.single() {
			b.ending(forget)
		}
		b.data()
		if err := b.judge(); err != nil {
			return nil, err
		}
		killed := b.label()
		b.add(
			asm.StoreMem(asm.RFP, frameEvent+eventVerdict, regVerdict, asm.DWord),
			asm.StoreMem(asm.RFP, frameEvent+eventCount, regCount, asm.DWord),
		)
		if b.way.single() {
			counted := b.label()
			b.add(
				asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
				asm.And.Imm(asm.R1, classEnding),
				asm.JEq.Imm(asm.R1, 0, killed),
				asm.Mov.Reg32(asm.R1, regVerdict),
				asm.And.Imm32(asm.R1, -0x10000),
				asm.JEq.Imm32(asm.R1, int32(bpf.RetAllow), counted),
				// Else it was denied, and a signal has killed the task.
				asm.JNE.Imm32(asm.R1, int32(bpf.RetLog), killed),
			)
			b.here(counted)
			b.goingTo(forget, b.executed)
		}
		b.here(killed)
		other := b.label()
		b.add(
			asm.LoadMem(asm.R1, regTask, b.layout.taskExitCode, asm.Word),
			asm.And.Imm32(asm.R1, 0x7f),
			asm.JNE.Imm32(asm.R1, sigsys, forget),
			asm.LoadMem(asm.R1, regRegs, b.layout.result, asm.DWord),
			asm.JNE.Imm(asm.R1, -enosys, forget),
			// Newer kernels have let go of the filter by now; if it is not this
			// program that kills, the thread had others.
			asm.LoadMem(asm.R1, asm.RFP, frameEvent+eventVerdict, asm.Word),
			asm.And.Imm32(asm.R1, -0x10000),
			asm.JNE.Imm32(asm.R1, int32(bpf.RetKillThread), other),
		)
		b.goingTo(forget, b.refuse)
		b.add(asm.Ja.Label(forget))
		b.here(other)
		b.counter()
		b.bump(counterRefused)
	}
	b.here(forget)
	if b.o.Scope.listed() {
		b.add(
			asm.LoadMem(asm.R1, regTask, b.layout.taskSignal, asm.DWord),
			asm.LoadMem(asm.R1, asm.R1, b.layout.signalLive, asm.Word),
			asm.JNE.Imm32(asm.R1, 0, alive),
			asm.LoadMem(asm.R1, regTask, b.layout.taskTgid, asm.Word),
			asm.StoreMem(asm.RFP, frameKey, asm.R1, asm.Word),
			asm.LoadMapPtr(asm.R1, b.maps.members.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, frameKey),
			asm.FnMapDeleteElem.Call(),
		)
		b.here(alive)
	}
	if b.o.judges() {
		b.lost()
	}
	return b.atTracepoint("tasks_end", "sched_process_exit"), nil
}

// ending counts a call that ends a task without a filter, or with others, and
// goes to a label. By now newer kernels have let go of the filter.
func (b *builder) ending(forget string) {
	rest, filtered := b.label(), b.label()
	b.add(
		asm.LoadMem(asm.R1, asm.RFP, frameClass, asm.DWord),
		asm.And.Imm(asm.R1, classEnding),
		asm.JEq.Imm(asm.R1, 0, rest),
		asm.LoadMem(asm.R1, regTask, b.layout.taskMode, asm.Word),
		asm.JNE.Imm(asm.R1, 0, filtered),
	)
	b.counter()
	b.bump(counterUnfiltered)
	b.add(asm.Ja.Label(forget))
	b.here(filtered)
	b.state(false)
	b.add(
		asm.JEq.Imm(asm.R0, 0, rest),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.JNE.Imm(asm.R1, stateOther, rest),
	)
	b.counter()
	b.bump(counterOther)
	b.add(asm.Ja.Label(forget))
	b.here(rest)
}

// goingTo makes code that goes to a label where else it would leave.
func (b *builder) goingTo(label string, code func()) {
	outer := b.code
	b.code = nil
	code()
	for i := range b.code {
		if b.code[i].Reference() == "exit" {
			b.code[i] = b.code[i].WithReference(label)
		}
	}
	b.code = append(outer, b.code...)
}

// fork is the program that takes the children of members in.
func (b *builder) fork() *ebpf.ProgramSpec {
	b.add(
		asm.LoadMem(regRegs, asm.R1, 8, asm.DWord), // the child
		asm.LoadMem(regTask, asm.R1, 0, asm.DWord), // the parent
	)
	b.scope(b.o.Scope.kind)
	b.add(
		asm.LoadMem(asm.R1, regRegs, b.layout.taskTgid, asm.Word),
		asm.StoreMem(asm.RFP, frameKey, asm.R1, asm.Word),
	)
	b.join()
	return b.atTracepoint("tasks_fork", "sched_process_fork")
}

// join makes the process at frameKey a member.
func (b *builder) join() {
	b.zero(8)
	b.insert(b.maps.members)
	b.add(
		asm.JEq.Imm(asm.R0, 0, "exit"),
		asm.JEq.Imm(asm.R0, -17, "exit"),
	)
	b.lose(lostMembers)
}

// start is the program that takes in who executes a program in the namespace.
func (b *builder) start() *ebpf.ProgramSpec {
	b.add(asm.LoadMem(regTask, asm.R1, 0, asm.DWord))
	b.scope(scopeNamespace)
	b.add(
		asm.LoadMem(asm.R1, regTask, b.layout.taskTgid, asm.Word),
		asm.StoreMem(asm.RFP, frameKey, asm.R1, asm.Word),
	)
	b.join()
	return b.atTracepoint("tasks_start", "sched_process_exec")
}
