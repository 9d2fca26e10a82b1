//go:build integration && (amd64 || arm64 || s390x)

package integration

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// TestKernelFacts holds what is said of kernels by their release against the
// running one, and logs the facts as docs/kernels.md has them: the numbers of the
// kernel's tables, those that it always allows, by what the cache can be read,
// whether there is WAIT_KILLABLE_RECV, whether a tracer can set a dispatch. Package
// machine runs it on other kernels.
func TestKernelFacts(t *testing.T) {
	var u unix.Utsname
	must(t, unix.Uname(&u))
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	since := func(a, b int) bool { return major > a || major == a && minor >= b }

	killable := install.WaitKillableRecv.Available()
	if killable != since(5, 19) {
		t.Errorf("WAIT_KILLABLE_RECV is there: %v", killable)
	}

	_, err := live.Kernel()
	if errors.Is(err, precompute.ErrNoCache) == since(5, 11) {
		t.Errorf("the cache: %v", err)
	}
	numbers, always := "none", ""
	reader, err := live.NewReader()
	switch {
	case err == nil:
		defer reader.Close()
		numbers, always = tables(t, reader)
	case errors.Is(err, live.ErrNoBTF) && native == "s390x": // Debian builds its kernel without
		numbers = "not read"
	case !errors.Is(err, live.ErrKernelTooOld) && !errors.Is(err, precompute.ErrNoCache):
		t.Error(err)
	}
	iterates := err == nil
	if iterates != (since(6, 1) && numbers != "not read") {
		t.Errorf("reading the cache: %v", err)
	}
	// CONFIG_SECCOMP_CACHE_DEBUG, of which nothing here depends.
	_, err = os.Stat("/proc/self/seccomp_cache")
	shows := err == nil

	_, err = install.DispatchOf(newPuppet(t).tid)
	dispatches := err == nil
	if dispatches != since(6, 4) && native == "x86_64" { // elsewhere with the generic entry, later
		t.Errorf("a tracer's dispatch: %v", err)
	}
	word := map[bool]string{false: "no", true: "yes"}
	t.Logf("facts: | %d.%d | %s | %s | %s | %s | %s | %s | %s |",
		major, minor, native, numbers, always, word[iterates], word[shows], word[killable], word[dispatches])
}

// tables measures the kernel's tables with a filter that allows nothing, and
// compares them with what their release says. The bitmap begins with all bits
// set, those past the end as well, and the emulation has cleared what the filter
// does not allow.
func tables(t *testing.T, reader *live.Reader) (numbers, always string) {
	t.Helper()
	child := newPuppet(t)
	child.must(child.install(bpf.Program{bpf.Ret(bpf.Errno(1))}, 0))
	state, err := reader.Read(child.tid)
	must(t, err)
	cache, _ := state.Cache()
	var sizes, sets []string
	for _, table := range cache.Tables {
		size := uint32(0)
		for nr := range uint32(64 * len(table.Allowed)) {
			if table.Allowed[nr/64]>>(nr%64)&1 == 0 {
				size = nr + 1
			}
		}
		var set []uint32
		for nr := range size {
			if table.Allowed[nr/64]>>(nr%64)&1 != 0 {
				set = append(set, nr)
			}
		}
		if int(size) != table.Size || !slices.Equal(set, table.Always) {
			t.Errorf("table %s has %d numbers and always allows %v; the release says %d and %v", table.Name, size, set, table.Size, table.Always)
		}
		sizes = append(sizes, fmt.Sprint(size))
		for _, nr := range set {
			sets = append(sets, fmt.Sprint(nr))
		}
	}
	return strings.Join(sizes, ", "), strings.Join(sets, ", ")
}
