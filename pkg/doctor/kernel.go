//go:build linux

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/live"
)

func (h *Host) privileges(context.Context) []Finding {
	if os.Geteuid() != 0 {
		return one(Note, "run it as root", "not root: what only root can see is told as missing")
	}
	return one(OK, "", "root")
}

// oldest is the first kernel that has all that an installation takes:
// pidfd_open(2).
const oldestMajor, oldestMinor = 5, 3

func (h *Host) kernel(context.Context) []Finding {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return one(Fail, "", "uname: %v", err)
	}
	release, machine := unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	if arch.Native() == nil {
		return one(Fail, "install on x86_64 or arm64", "Linux %s on %s, which is not known", release, machine)
	}
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return one(Note, "", "Linux %s: no version", release)
	}
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return one(Fail, fmt.Sprintf("boot Linux %d.%d or newer", oldestMajor, oldestMinor), "Linux %s on %s has no pidfd_open(2)", release, machine)
	}
	return one(OK, "", "Linux %s on %s", release, machine)
}

func (h *Host) install(context.Context) []Finding {
	modes, err := install.Modes()
	switch {
	case slices.Contains(modes, install.ModeSuspend):
		return one(OK, "", "a filter can sleep until the container's program starts (PTRACE_O_SUSPEND_SECCOMP)")
	case len(modes) > 0:
		return one(Note, "give seccomp-hook CAP_SYS_ADMIN in the initial user namespace and no seccomp filter of its own, for instance no SystemCallFilter= in the engine's unit",
			"only containers with noNewPrivileges can have a filter: %s", line(err))
	default:
		return one(Fail, "allow ptrace (CAP_SYS_PTRACE, kernel.yama.ptrace_scope below 3)", "%s", line(err))
	}
}

func (h *Host) cache(context.Context) []Finding {
	k, err := live.Kernel()
	if err != nil {
		return one(Note, "Linux 5.11 and newer allow most calls without running the filter", "%s", line(err))
	}
	var tables []string
	for _, t := range k.Tables {
		tables = append(tables, fmt.Sprintf("%d calls of %s", t.Size, t.Name))
	}
	return one(OK, "", "the kernel remembers which of %s a filter always allows", strings.Join(tables, " and "))
}

// table is the kernel's own, which `cache --pid` and `inspect` read.
func (h *Host) table(context.Context) []Finding {
	r, err := live.NewReader()
	if err == nil {
		_ = r.Close()
		return one(OK, "", "cache --pid and inspect can read what the kernel remembers (BTF, BPF iterators)")
	}
	advice := "cache --pid and inspect do without it; containers do not need it"
	switch {
	case errors.Is(err, live.ErrNoBTF):
		advice = "a kernel with CONFIG_DEBUG_INFO_BTF has it; " + advice
	case errors.Is(err, live.ErrKernelTooOld):
		advice = "Linux 6.1 has it; " + advice
	}
	return one(Note, advice, "%s", line(err))
}

// line makes one line of an error.
func line(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
