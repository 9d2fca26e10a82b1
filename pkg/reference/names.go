//go:build libseccomp

package reference

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"

	"seccomp-hook/pkg/arch"
)

// Differing returns those of names that libseccomp and pkg/arch do not take for
// the same call on each of the architectures: mostly calls newer than the
// installed libseccomp, and some old ones that the kernel's tables no longer
// have. Profiles without them mean the same to both. An architecture that
// libseccomp does not know is an error.
func Differing(names []string, archs ...*arch.Arch) ([]string, error) {
	tables := make([]map[string]uint32, len(archs))
	for i, a := range archs {
		table, err := numbers(a)
		if err != nil {
			return nil, err
		}
		tables[i] = table
	}
	var differing []string
	for _, name := range names {
		_, err := libseccomp.GetSyscallFromName(name)
		_, ours := arch.FindCall(name)
		same := (err == nil) == ours
		for i, a := range archs {
			theirs, known := tables[i][name]
			number, ok := a.Number(name)
			same = same && known == ok && (!ok || theirs == number)
		}
		if !same {
			differing = append(differing, name)
		}
	}
	return differing, nil
}

// numbers returns libseccomp's table of an architecture. It is read by number:
// by name a multiplexed call has one of libseccomp's own.
func numbers(a *arch.Arch) (map[string]uint32, error) {
	scmp, err := scmpArch(a)
	if err != nil {
		return nil, err
	}
	table := make(map[string]uint32)
	add := func(from, to uint32) {
		for n := from; n <= to; n++ {
			if name, err := libseccomp.ScmpSyscall(n).GetNameByArch(scmp); err == nil {
				table[name] = n
			}
		}
	}
	add(a.NumberBase, a.NumberBase+1024)
	const armPrivate = 0x0f0000
	add(armPrivate, armPrivate+16)
	if len(table) == 0 {
		return nil, fmt.Errorf("reference: libseccomp does not know architecture %v", a)
	}
	return table, nil
}
