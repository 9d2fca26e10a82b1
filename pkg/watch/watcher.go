//go:build linux

package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// Call is a call by its number.
type Call struct {
	Token, Nr uint32
}

// Options say what is watched.
type Options struct {
	// Scope says whose calls. The Watcher closes it.
	Scope Scope
	// Programs are the container's filters, the oldest first. Without any, calls
	// are counted as executed or refused, whatever filters there are.
	Programs []bpf.Program
	// Filter is where the kernel has the newest of them (live.Filter.Address).
	// Calls of tasks with another one are not judged, but counted apart.
	Filter uint64
	// Cache is what the kernel has cached for the filters.
	Cache precompute.Cache
	// Samples is how many denied calls of each kind Denied tells, on each CPU,
	// or -1 for all.
	Samples int
	// Arguments are the calls of which every combination of arguments is noted
	// that occurs, with a bit for each argument that counts.
	Arguments map[Call]uint8
}

// judges says that verdicts are found out.
func (o *Options) judges() bool { return len(o.Programs) > 0 }

// listed says that the members of a scope are kept in a list.
func (s *Scope) listed() bool { return s.kind == scopeTree || s.kind == scopeStarted }

// Bounds of what the kernel keeps.
const (
	maxMembers   = 1 << 16 // processes
	maxTallies   = 1 << 13
	maxStrange   = 1 << 10 // calls with numbers that no table has
	maxArguments = 1 << 13
	eventBytes   = 1 << 20
)

// Watcher counts calls, from Start to Stop.
type Watcher struct {
	o        Options
	abi      *abi
	maps     maps
	calls    [callsSize]byte // what map calls has
	programs []*ebpf.Program
	idle     []*ebpf.Program // of these those that Start attaches
	links    []link.Link
	events   *ringbuf.Reader
}

type maps struct {
	calls, counters, strange, tallies, lost, events, states, members, arguments, overflown *ebpf.Map
}

// New loads the programs into the kernel; Start attaches them. The error wraps
// live.ErrKernelTooOld, live.ErrNoBTF, live.ErrPermission or ErrArch where they
// are the reason.
func New(o Options) (*Watcher, error) {
	w := &Watcher{o: o, abi: hostABI}
	if err := w.load(); err != nil {
		_ = w.Close() // err says why
		return nil, fmt.Errorf("watch: %w", live.Permission(err))
	}
	return w, nil
}

func (w *Watcher) load() error {
	if w.abi == nil {
		return ErrArch
	}
	l, err := readLayout(w.abi, kernelTypes)
	if err != nil {
		return err
	}
	if err := w.makeMaps(); err != nil {
		return err
	}
	b := &builder{abi: w.abi, layout: l, maps: &w.maps, o: &w.o}
	if b.exclusive, err = w.o.exclusive(); err != nil {
		return err
	}
	for _, b.way = range b.ways() {
		if err = w.loadPrograms(b); !errors.Is(err, errPlace) {
			break
		}
		if err := w.unload(); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if w.events, err = ringbuf.NewReader(w.maps.events); err != nil {
		return err
	}
	return w.setClasses()
}

// exclusive says that no thread outside of the scope has the filter.
func (o *Options) exclusive() (bool, error) {
	if !o.judges() || o.Scope.kind == scopeCgroup { // which can be left
		return false, nil
	}
	members, err := o.Scope.Members()
	if err != nil {
		return false, err
	}
	reader, err := live.NewReader()
	if err != nil {
		return false, err
	}
	defer func() { _ = reader.Close() }() // it was only read
	others, err := processes(func(pid int) bool { return !slices.Contains(members, pid) })
	if err != nil {
		return false, err
	}
	for _, pid := range others {
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			// What has ended meanwhile has none.
			if s, err := reader.Read(tid); err == nil && slices.ContainsFunc(s.Filters, func(f live.Filter) bool { return f.Address == o.Filter }) {
				return false, nil
			}
		}
	}
	return true, nil
}

// errPlace: the kernel lets no program be called at a place.
var errPlace = errors.New("no program can be called there")

// loadPrograms loads the programs. Those at places that not every kernel has are
// attached, too: the gate is shut.
func (w *Watcher) loadPrograms(b *builder) error {
	specs, err := b.programs()
	if err != nil {
		return err
	}
	for _, spec := range specs {
		p, err := ebpf.NewProgram(spec)
		if err == nil {
			w.programs = append(w.programs, p)
		} else {
			err = fmt.Errorf("load %s: %w", spec.Name, err)
		}
		var l link.Link
		switch {
		case spec.AttachType == ebpf.AttachTraceRawTp:
			if err != nil {
				return err
			}
			w.idle = append(w.idle, p)
			continue
		case err != nil:
		case spec.Type == ebpf.TracePoint:
			l, err = link.Tracepoint("syscalls", returnTracepoint, p, nil)
		default:
			l, err = link.AttachTracing(link.TracingOptions{Program: p, AttachType: spec.AttachType})
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errPlace, err)
		}
		w.links = append(w.links, l)
	}
	return nil
}

// unload undoes loadPrograms.
func (w *Watcher) unload() error {
	var errs []error
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	for _, p := range w.programs {
		errs = append(errs, p.Close())
	}
	w.links, w.programs, w.idle = nil, nil, nil
	return errors.Join(errs...)
}

func (w *Watcher) makeMaps() error {
	word := &btf.Int{Name: "unsigned int", Size: 4, Encoding: btf.Unsigned}
	const noPreallocation = unix.BPF_F_NO_PREALLOC
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		into **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&w.maps.calls, ebpf.MapSpec{Name: "calls", Type: ebpf.Array, KeySize: 4, ValueSize: callsSize, MaxEntries: 1}},
		{&w.maps.counters, ebpf.MapSpec{Name: "counters", Type: ebpf.Array, KeySize: 4, ValueSize: counterSize * slots, MaxEntries: uint32(cpus)}},
		{&w.maps.strange, ebpf.MapSpec{Name: "strange", Type: ebpf.PerCPUHash, KeySize: 8, ValueSize: counterSize, MaxEntries: maxStrange}},
		{&w.maps.tallies, ebpf.MapSpec{Name: "tallies", Type: ebpf.PerCPUHash, KeySize: tallyKeySize, ValueSize: tallyValueSize, MaxEntries: maxTallies}},
		{&w.maps.lost, ebpf.MapSpec{Name: "lost", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: lostKinds}},
		{&w.maps.events, ebpf.MapSpec{Name: "events", Type: ebpf.RingBuf, MaxEntries: eventBytes}},
		{&w.maps.states, ebpf.MapSpec{Name: "states", Type: ebpf.TaskStorage, KeySize: 4, ValueSize: 4, Flags: noPreallocation, Key: word, Value: word}},
		{&w.maps.members, ebpf.MapSpec{Name: "members", Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: maxMembers, Flags: noPreallocation}},
		{&w.maps.overflown, ebpf.MapSpec{Name: "overflown", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: slots}},
		{&w.maps.arguments, ebpf.MapSpec{Name: "arguments", Type: ebpf.Hash, KeySize: 56, ValueSize: 8, MaxEntries: maxArguments, Flags: noPreallocation}},
	} {
		if *m.into, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("make map %s: %w", m.spec.Name, err)
		}
	}
	return nil
}

// call returns the call of a slot.
func (w *Watcher) call(slot uint32) Call {
	switch {
	case slot < tableSize:
		return Call{w.abi.native, slot}
	case slot < 2*tableSize:
		return Call{w.abi.compat, slot - tableSize}
	default:
		return Call{w.abi.native, slot - 2*tableSize + arch.X32Bit}
	}
}

// setClasses tells the programs what they need to know of calls.
func (w *Watcher) setClasses() error {
	for slot := range uint32(slots) {
		c := w.call(slot)
		class := uint32(w.o.Arguments[c]) * classArguments
		for i := range w.o.Cache.Tables {
			if t := &w.o.Cache.Tables[i]; t.Token == c.Token && t.Allows(c.Nr) && w.o.judges() {
				class |= classCached
			}
		}
		name := nameOf(c)
		if slices.Contains(w.abi.clobbering, name) {
			class |= classClobbering
		}
		if slices.Contains(w.abi.ending, name) {
			class |= classEnding
		}
		if slices.Contains(w.abi.forking, name) {
			class |= classForking
		}
		binary.NativeEndian.PutUint32(w.calls[callsClasses+4*slot:], class)
	}
	return w.open(0)
}

// nameOf is the name of a call, "" where it has none.
func nameOf(c Call) string {
	for _, a := range arch.All() {
		if a.Audit == c.Token && (c.Nr >= arch.X32Bit) == (a.NumberBase == arch.X32Bit) {
			return a.CallName(c.Nr)
		}
	}
	return ""
}

// Start attaches the programs and begins to count. running says that the
// processes that the scope has now are members.
func (w *Watcher) Start(running bool) error {
	for _, p := range w.idle {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("watch: attach: %w", live.Permission(err))
		}
		w.links = append(w.links, l)
	}
	if running && w.o.Scope.listed() {
		// A child of a process that is listed too late is too; until there is
		// nothing new.
		for added := true; added; {
			added = false
			list, err := w.o.Scope.Members()
			if err != nil {
				return err
			}
			for _, pid := range list {
				err := w.maps.members.Update(uint32(pid), uint64(0), ebpf.UpdateNoExist)
				if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
					return fmt.Errorf("watch: %w", err)
				}
				added = added || err == nil
			}
		}
	}
	return w.open(1)
}

// open opens or shuts the gate.
func (w *Watcher) open(gate uint64) error {
	binary.NativeEndian.PutUint64(w.calls[callsGate:], gate)
	if err := w.maps.calls.Put(uint32(0), w.calls[:]); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL of <linux/membarrier.h>.
const membarrierGlobal = 1

// Stop ends counting. When it returns, Read returns what there was in between,
// and no more.
func (w *Watcher) Stop() error {
	if err := w.open(0); err != nil {
		return err
	}
	// The programs run in sections of RCU: whoever has seen the gate open is
	// done when all of these have ended (membarrier(2)).
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 && errno != unix.EINVAL {
		return fmt.Errorf("watch: membarrier: %w", errno)
	}
	if err := w.events.Flush(); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// Close detaches everything.
func (w *Watcher) Close() error {
	errs := []error{w.unload()}
	if w.events != nil {
		errs = append(errs, w.events.Close())
	}
	for _, m := range []*ebpf.Map{w.maps.calls, w.maps.counters, w.maps.strange, w.maps.tallies, w.maps.lost, w.maps.events, w.maps.states, w.maps.members, w.maps.arguments, w.maps.overflown} {
		errs = append(errs, m.Close())
	}
	w.o.Scope.Close()
	return errors.Join(errs...)
}
