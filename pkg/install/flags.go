//go:build linux

package install

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
)

// Flags are the flags of seccomp(2)'s SECCOMP_SET_MODE_FILTER, as the kernel's
// bits.
type Flags uint32

// The flags of <linux/seccomp.h>, with the kernel that brought each.
const (
	TSync            Flags = unix.SECCOMP_FILTER_FLAG_TSYNC              // 3.17
	Log              Flags = unix.SECCOMP_FILTER_FLAG_LOG                // 4.14
	SpecAllow        Flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW         // 4.17
	NewListener      Flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER       // 5.0
	TSyncESRCH       Flags = unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH        // 5.7
	WaitKillableRecv Flags = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV // 5.19
)

// flagNames are the names of <linux/seccomp.h>, which the OCI runtime
// specification uses too; oci says whether it knows the flag.
var flagNames = []struct {
	flag Flags
	name string
	oci  bool
}{
	{TSync, "SECCOMP_FILTER_FLAG_TSYNC", true},
	{Log, "SECCOMP_FILTER_FLAG_LOG", true},
	{SpecAllow, "SECCOMP_FILTER_FLAG_SPEC_ALLOW", true},
	{NewListener, "SECCOMP_FILTER_FLAG_NEW_LISTENER", false},
	{TSyncESRCH, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH", false},
	{WaitKillableRecv, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", true},
}

// String returns the flags' names, joined by "|", and "0" for none.
func (f Flags) String() string {
	var names []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
			f &^= n.flag
		}
	}
	if f != 0 || names == nil {
		names = append(names, fmt.Sprintf("%#x", uint32(f)))
	}
	return strings.Join(names, "|")
}

// OCIFlags returns the names that a profile may list and the running kernel
// has, for a runtime's `features`.
func OCIFlags() []string {
	var names []string
	for _, n := range flagNames {
		if n.oci && n.flag.Available() {
			names = append(names, n.name)
		}
	}
	return names
}

// ParseFlags returns the flags that a profile lists. A nil list asks for the
// default, which is runc's: SPEC_ALLOW where the kernel has it; an empty one
// asks for none. A name that OCI does not know, or a flag that the running
// kernel does not have, is an error.
func ParseFlags(names []string) (Flags, error) {
	if names == nil {
		if SpecAllow.Available() {
			return SpecAllow, nil
		}
		return 0, nil
	}
	var flags Flags
	for _, name := range names {
		flag, err := parseFlag(name)
		if err != nil {
			return 0, err
		}
		if !flag.Available() {
			return 0, fmt.Errorf("install: flags: the kernel does not have %s", name)
		}
		flags |= flag
	}
	return flags, nil
}

func parseFlag(name string) (Flags, error) {
	for _, n := range flagNames {
		if n.oci && n.name == name {
			return n.flag, nil
		}
	}
	return 0, fmt.Errorf("install: flags: unknown flag %q", name)
}

// Available reports whether the running kernel takes all of these flags. It
// asks seccomp(2) to install a filter at address 0: flags are looked at before
// the filter (kernel/seccomp.c, seccomp_set_mode_filter), so EFAULT means yes,
// and nothing is ever installed.
func (f Flags) Available() bool {
	probe := f
	if f&WaitKillableRecv != 0 {
		probe |= NewListener // EINVAL without it, 5.19
	}
	if f&TSync != 0 && probe&NewListener != 0 {
		probe |= TSyncESRCH // EINVAL without it, 5.7
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(probe), 0)
	return errno == unix.EFAULT
}

// ActionAvailable reports whether the running kernel knows the action of r
// (SECCOMP_GET_ACTION_AVAIL, Linux 4.14). A kernel treats an action that it
// does not know as KILL_PROCESS.
func ActionAvailable(r bpf.Return) bool {
	return actionAvailable(uint32(r.Action()))
}
