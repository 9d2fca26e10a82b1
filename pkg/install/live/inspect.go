//go:build linux

package live

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/precompute"
)

// Inspection is what is known of the filters of one thread. Its JSON form is
// what `inspect --format json` prints.
type Inspection struct {
	PID        int    `json:"pid"`
	Name       string `json:"name"`
	Mode       int    `json:"mode"` // Seccomp: in /proc/PID/status
	NoNewPrivs bool   `json:"noNewPrivs"`
	// Kernel is the release that the prediction is for, "6.18".
	Kernel string `json:"kernel"`
	// Dispatch says from where the thread may make system calls, nil where from
	// anywhere, or where the kernel does not tell (Linux 6.4).
	Dispatch *Dispatch `json:"dispatch,omitempty"`
	// Filters are the oldest first.
	Filters []InspectedFilter `json:"filters"`
	// Statistics are those of all filters together.
	Statistics []precompute.Statistics `json:"statistics,omitempty"`
	// Cache compares the kernel's cache with the prediction.
	Cache Agreement `json:"cache"`
}

// InspectedFilter is one of the filters.
type InspectedFilter struct {
	Index  int    `json:"index"`  // 0 is the oldest
	Length int    `json:"length"` // instructions, as installed
	SHA256 string `json:"sha256"` // of the raw program
	// Store is what the store knows the program as, "" where it does not.
	Store string `json:"store,omitempty"`
	// Flags are those that the kernel tells: "log", "wait-killable-recv",
	// "listener" as long as it is open. Without the right to read kernel
	// memory it is "log" only.
	Flags []string `json:"flags,omitempty"`
	// Statistics are those of this filter alone.
	Statistics []precompute.Statistics `json:"statistics"`
	// Program is the disassembly, on request.
	Program []string `json:"program,omitempty"`
}

// Agreement says whether the kernel has what is predicted.
type Agreement struct {
	// Unavailable says why the kernel's cache could not be read, "" where it
	// was.
	Unavailable string `json:"unavailable,omitempty"`
	// Agrees is false where the cache could not be read.
	Agrees bool `json:"agrees"`
	// Differences are lines "x86_64 39 predicted ALLOW kernel FILTER".
	Differences []string `json:"differences,omitempty"`
}

// InspectOptions say what else Inspect shall find out.
type InspectOptions struct {
	// Known returns what the store calls a program, by its digest; nil where
	// there is no store.
	Known func(digest [32]byte) (name string, known bool)
	// Disassemble asks for the programs' text.
	Disassemble bool
}

// Inspect describes the filters of a thread, usually the first one of a
// process, which has the process's id. That the kernel's cache cannot be read
// is no error, it is in Inspection.Cache.
func Inspect(pid int, o InspectOptions) (*Inspection, error) {
	status, err := ReadStatus(pid)
	if err != nil {
		return nil, err
	}
	installed, dispatch, err := inspectStopped(pid)
	if err != nil {
		return nil, err
	}
	kernel, noCache := Kernel()
	if noCache != nil && !errors.Is(noCache, precompute.ErrNoCache) {
		return nil, noCache
	}
	in := &Inspection{PID: pid, Name: status.Name, Mode: status.Mode, NoNewPrivs: status.NoNewPrivs, Kernel: kernel.Release, Dispatch: dispatch}
	programs := make([]bpf.Program, len(installed))
	for i, p := range installed {
		programs[i] = p.Program
		f := InspectedFilter{Index: i, Length: len(p.Program)}
		digest := p.Digest()
		f.SHA256 = hex.EncodeToString(digest[:])
		if o.Known != nil {
			if name, known := o.Known(digest); known {
				f.Store = name
			}
		}
		if p.Log {
			f.Flags = []string{"log"}
		}
		if o.Disassemble {
			f.Program = strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n")
		}
		if f.Statistics, err = statistics(kernel, p.Program); err != nil {
			return nil, fmt.Errorf("live: filter %d: %w", i, err)
		}
		in.Filters = append(in.Filters, f)
	}
	if len(programs) == 0 {
		in.Cache.Unavailable = "no filters"
		return in, nil
	}
	if in.Statistics, err = statistics(kernel, programs...); err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	if noCache != nil {
		in.Cache.Unavailable = noCache.Error()
		return in, nil //nolint:nilerr // it is in the inspection
	}
	predicted, err := kernel.Predict(programs...)
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	in.readCache(predicted)
	return in, nil
}

// readCache asks the kernel for what only it knows.
func (in *Inspection) readCache(predicted precompute.Cache) {
	state, err := readState(in.PID)
	if err != nil {
		in.Cache.Unavailable = err.Error()
		return
	}
	if state.Count != len(in.Filters) {
		in.Cache.Unavailable = "the filters changed meanwhile"
		return
	}
	older := len(in.Filters) - len(state.Filters) // more than a Reader reads
	for i, f := range state.Filters {
		in.Filters[older+i].Flags = f.flags()
	}
	cache, _ := state.Cache()
	for _, d := range predicted.Diff(cache) {
		in.Cache.Differences = append(in.Cache.Differences, d.String())
	}
	in.Cache.Agrees = len(in.Cache.Differences) == 0
}

// readState is one read with a Reader of its own.
func readState(tid int) (*State, error) {
	r, err := NewReader()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	return r.Read(tid)
}

func (f *Filter) flags() []string {
	var names []string
	for _, flag := range []struct {
		name string
		set  bool
	}{{"log", f.Log}, {"wait-killable-recv", f.WaitKillableRecv}, {"listener", f.Listener}} {
		if flag.set {
			names = append(names, flag.name)
		}
	}
	return names
}

// statistics counts the calls of every architecture that programs of the
// running kernel can be for.
func statistics(k precompute.Kernel, programs ...bpf.Program) ([]precompute.Statistics, error) {
	tables := k.Tables
	if native := arch.Native(); len(tables) == 0 && native != nil {
		// It has no cache, and runs programs of the same architectures as those that do.
		first, err := precompute.KernelFor("5.11", native.Audit)
		if err != nil {
			return nil, err
		}
		tables = first.Tables
	}
	var list []precompute.Statistics
	for _, t := range tables {
		verdicts := make([]*precompute.Table, len(programs))
		for i, p := range programs {
			var err error
			if verdicts[i], err = precompute.NewTable(p, t.Token); err != nil {
				return nil, err
			}
		}
		for _, a := range arch.All() { // x86_64 and x32 share a token
			if a.Audit == t.Token {
				list = append(list, precompute.Count(a, k, verdicts...))
			}
		}
	}
	return list, nil
}

// WriteText writes the inspection for people.
func (in *Inspection) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "process %d (%s): seccomp mode %d, %s, no_new_privs %v, kernel %s\n",
		in.PID, in.Name, in.Mode, count(len(in.Filters), "filter"), in.NoNewPrivs, in.Kernel)
	if in.Dispatch != nil {
		fmt.Fprintf(&b, "\ndispatch: %s\n", in.Dispatch)
	}
	for _, f := range in.Filters {
		fmt.Fprintf(&b, "\nfilter %d: %s, sha256 %s\n", f.Index, count(f.Length, "instruction"), f.SHA256)
		if f.Store != "" {
			fmt.Fprintf(&b, "  from the store: %s\n", f.Store)
		}
		if len(f.Flags) > 0 {
			fmt.Fprintf(&b, "  flags: %s\n", strings.Join(f.Flags, ", "))
		}
		writeStatistics(&b, f.Statistics)
		for _, line := range f.Program {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(in.Filters) > 1 {
		b.WriteString("\nall filters together:\n")
		writeStatistics(&b, in.Statistics)
	}
	switch c := in.Cache; {
	case c.Unavailable != "":
		fmt.Fprintf(&b, "\nkernel's cache: not read: %s\n", c.Unavailable)
	case c.Agrees:
		b.WriteString("\nkernel's cache: as predicted\n")
	default:
		fmt.Fprintf(&b, "\nkernel's cache: %s\n", count(len(c.Differences), "difference"))
		for _, d := range c.Differences {
			fmt.Fprintf(&b, "  %s\n", d)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// count is "1 filter" or "2 filters".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func writeStatistics(b *strings.Builder, list []precompute.Statistics) {
	for _, s := range list {
		fmt.Fprintf(b, "  %-12s %d calls: %d cached, %d constant, %d dynamic\n", s.Arch, s.Total, s.Cached, s.Constant, s.Dynamic)
	}
}
