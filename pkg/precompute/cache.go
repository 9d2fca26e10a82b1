package precompute

import (
	"bufio"
	"fmt"
	"io"

	"seccomp-hook/pkg/bpf"
)

// Cache is what a kernel has in its tables for a chain of filters: predicted
// here, or read from a running kernel by package install/live.
type Cache struct {
	// Tables are the native table first, as in the Kernel.
	Tables []CacheTable
}

// CacheTable is one table of a Cache.
type CacheTable struct {
	KernelTable
	// Allowed has bit nr%64 of word nr/64 set where call nr is allowed without
	// running a filter. Bits from Size on have no meaning.
	Allowed []uint64
}

// Allows reports whether call nr is allowed without running a filter.
func (t *CacheTable) Allows(nr uint32) bool {
	return nr < uint32(t.Size) && t.Allowed[nr/64]>>(nr%64)&1 != 0
}

// Count returns how many calls are allowed without running a filter.
func (t *CacheTable) Count() int {
	n := 0
	for nr := range uint32(t.Size) {
		if t.Allows(nr) {
			n++
		}
	}
	return n
}

// Predict returns the cache that kernel k has for a thread with these filters,
// the oldest first: a call stays cached as long as every filter lets it, in
// whatever order they came.
func (k Kernel) Predict(programs ...bpf.Program) (Cache, error) {
	var c Cache
	for _, kt := range k.Tables {
		// Before any filter, all calls are allowed.
		served := Set{{0, uint32(kt.Size - 1)}}
		for i, p := range programs {
			t, err := NewTable(p, kt.Token)
			if err != nil {
				return Cache{}, fmt.Errorf("filter %d: %w", i, err)
			}
			served = served.Intersect(t.Select(0, uint32(kt.Size-1), Outcome.Cached))
		}
		for _, nr := range kt.Always {
			served = served.Union(Set{{nr, nr}})
		}
		c.Tables = append(c.Tables, CacheTable{KernelTable: kt, Allowed: served.Bitmap(kt.Size)})
	}
	return c, nil
}

// verdicts are the words of /proc/PID/seccomp_cache.
var verdicts = map[bool]string{true: "ALLOW", false: "FILTER"}

// WriteTo writes the cache as /proc/PID/seccomp_cache shows it
// (proc_pid_seccomp_cache in kernel/seccomp.c): a line "x86_64 0 ALLOW" or
// "x86_64 0 FILTER" for each number of each table.
func (c Cache) WriteTo(w io.Writer) (int64, error) {
	b := bufio.NewWriter(w)
	written := int64(0)
	for _, t := range c.Tables {
		for nr := range uint32(t.Size) {
			n, _ := fmt.Fprintf(b, "%s %d %s\n", t.Name, nr, verdicts[t.Allows(nr)])
			written += int64(n)
		}
	}
	return written, b.Flush()
}

// Difference is a call that two caches disagree on.
type Difference struct {
	Table           string // "x86_64"
	Nr              uint32
	Predicted, Real bool // allowed without running a filter
}

func (d Difference) String() string {
	return fmt.Sprintf("%s %d predicted %s kernel %s", d.Table, d.Nr, verdicts[d.Predicted], verdicts[d.Real])
}

// Diff returns the calls for which the kernel has something else than
// predicted, in the order of the tables. A table that only one side has counts
// as all FILTER on the other.
func (c Cache) Diff(kernel Cache) []Difference {
	var out []Difference
	for i := range max(len(c.Tables), len(kernel.Tables)) {
		var mine, theirs CacheTable
		if i < len(c.Tables) {
			mine = c.Tables[i]
		}
		if i < len(kernel.Tables) {
			theirs = kernel.Tables[i]
		}
		name := mine.Name
		if name == "" {
			name = theirs.Name
		}
		for nr := range uint32(max(mine.Size, theirs.Size)) {
			if p, r := mine.Allows(nr), theirs.Allows(nr); p != r {
				out = append(out, Difference{Table: name, Nr: nr, Predicted: p, Real: r})
			}
		}
	}
	return out
}
