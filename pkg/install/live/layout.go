//go:build linux

package live

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// layout says where the kernel keeps what the reader is after: byte offsets of
// members, by BTF.
type layout struct {
	iterMeta, iterTask int16 // bpf_iter__task
	metaSeq            int16 // bpf_iter_meta

	taskMode, taskCount, taskFilter int16 // task_struct.seccomp.…

	filterLog, filterKillable, filterNotif, filterProg, filterPrev int16 // seccomp_filter.…
	filterNative, filterCompat                                     int16 // seccomp_filter.cache.…
	nativeWords, compatWords                                       int   // the bitmaps' size, in 64-bit words
	progLen                                                        int16 // bpf_prog.len
}

// readLayout looks everything up in the kernel's BTF.
func readLayout() (*layout, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	// Without this member an iterator goes over all threads, whatever it is
	// asked for (commit f0d74c4da1f0, Linux 6.1).
	if _, err := find(spec, "bpf_iter_link_info", "task"); err != nil {
		return nil, fmt.Errorf("no BPF iterator over one thread: %w", missing(err))
	}
	var l layout
	for _, m := range []struct {
		offset *int16
		path   []string
	}{
		{&l.iterMeta, []string{"bpf_iter__task", "meta"}},
		{&l.iterTask, []string{"bpf_iter__task", "task"}},
		{&l.metaSeq, []string{"bpf_iter_meta", "seq"}},
		{&l.taskMode, []string{"task_struct", "seccomp", "mode"}},
		{&l.taskCount, []string{"task_struct", "seccomp", "filter_count"}},
		{&l.taskFilter, []string{"task_struct", "seccomp", "filter"}},
		{&l.filterLog, []string{"seccomp_filter", "log"}},
		{&l.filterKillable, []string{"seccomp_filter", "wait_killable_recv"}},
		{&l.filterNotif, []string{"seccomp_filter", "notif"}},
		{&l.filterProg, []string{"seccomp_filter", "prog"}},
		{&l.filterPrev, []string{"seccomp_filter", "prev"}},
		{&l.filterNative, []string{"seccomp_filter", "cache", "allow_native"}},
		{&l.progLen, []string{"bpf_prog", "len"}},
	} {
		member, err := find(spec, m.path...)
		if err != nil {
			return nil, missing(err)
		}
		*m.offset = member.offset
	}
	native, err := find(spec, "seccomp_filter", "cache", "allow_native")
	if err != nil {
		return nil, missing(err)
	}
	l.nativeWords = native.words
	// 64-bit kernels without 32-bit calls have one table only.
	compat, err := find(spec, "seccomp_filter", "cache", "allow_compat")
	if err == nil {
		l.filterCompat, l.compatWords = compat.offset, compat.words
	}
	return &l, nil
}

// Offset returns where a member is in a type of the running kernel, in bytes: by
// the names from the outermost type inwards, such as "task_struct", "seccomp",
// "filter". The error wraps ErrKernelTooOld where there is none.
func Offset(spec *btf.Spec, path ...string) (int16, error) {
	m, err := find(spec, path...)
	if err != nil {
		return 0, fmt.Errorf("live: kernel types: %w", missing(err))
	}
	return m.offset, nil
}

// missing says what it means that the kernel's types lack a member.
func missing(err error) error {
	if errors.Is(err, btf.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrKernelTooOld, err)
	}
	return err
}

// member is a member of a kernel type.
type member struct {
	offset int16 // in bytes, from the start of the outermost type
	words  int   // an array's size in 64-bit words, else 0
}

// find goes down from a struct or union, by the names of members.
func find(spec *btf.Spec, path ...string) (member, error) {
	t, err := spec.AnyTypeByName(path[0])
	if err != nil {
		return member{}, fmt.Errorf("type %s: %w", path[0], err)
	}
	offset := btf.Bits(0)
	for i, name := range path[1:] {
		m, ok := findMember(t, name)
		if !ok {
			return member{}, fmt.Errorf("member %s of %s: %w", name, path[i], btf.ErrNotFound)
		}
		offset += m.Offset
		t = btf.UnderlyingType(m.Type)
	}
	out := member{offset: int16(offset.Bytes())}
	if int(out.offset) != int(offset.Bytes()) {
		return member{}, fmt.Errorf("member %v is at %d, too far for a BPF instruction", path, offset.Bytes())
	}
	if _, isArray := t.(*btf.Array); isArray {
		size, err := btf.Sizeof(t)
		if err != nil {
			return member{}, err
		}
		out.words = size / 8
	}
	return out, nil
}

// findMember finds a member of a struct or union, in its anonymous members too
// (task_struct consists of one). The offset counts from t.
func findMember(t btf.Type, name string) (btf.Member, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m, true
		}
		if m.Name == "" {
			if inner, ok := findMember(m.Type, name); ok {
				inner.Offset += m.Offset
				return inner, true
			}
		}
	}
	return btf.Member{}, false
}
