//go:build linux

package watch

import (
	"fmt"

	"github.com/cilium/ebpf/btf"

	"seccomp-hook/pkg/install/live"
)

// layout says where the running kernel keeps what the programs look at: byte
// offsets of members, by BTF.
type layout struct {
	number, result, pointer int16
	args, compatArgs        [6]int16
	compatFlags             int16

	taskMode, taskFilter, taskPID, taskTgid, taskTid int16
	taskExitCode, taskSignal, signalLive             int16
	pidLevel, pidNumbers, upidSize, upidNS           int16
	nsInum                                           int16
	// flexible says that the verifier lets the programs go through all of
	// pid.numbers, because the kernel declares it without a length (Linux 6.5).
	flexible bool
	// returning are those of abi.returning that there are; none where the one
	// for native calls is not, which is the first.
	returning []string
	// x32 says that there are x32 calls.
	x32 bool
}

// kernelTypes are the running kernel's; a test has others.
var kernelTypes = btf.LoadKernelSpec

func readLayout(a *abi, types func() (*btf.Spec, error)) (*layout, error) {
	spec, err := types()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", live.ErrNoBTF, err)
	}
	// The filters are read with an iterator over one task, which is as old as
	// what else is taken for granted here (Linux 6.1).
	if _, err := live.Offset(spec, "bpf_iter_link_info", "task"); err != nil {
		return nil, fmt.Errorf("it takes Linux 6.1: %w", err)
	}
	l := &layout{}
	type entry struct {
		offset *int16
		path   []string
	}
	entries := []entry{
		{&l.number, a.number},
		{&l.result, a.result},
		{&l.pointer, a.pointer},
		{&l.compatFlags, compatMember},
		{&l.taskMode, []string{"task_struct", "seccomp", "mode"}},
		{&l.taskFilter, []string{"task_struct", "seccomp", "filter"}},
		{&l.taskPID, []string{"task_struct", "thread_pid"}},
		{&l.taskTgid, []string{"task_struct", "tgid"}},
		{&l.taskTid, []string{"task_struct", "pid"}},
		{&l.taskExitCode, []string{"task_struct", "exit_code"}},
		{&l.taskSignal, []string{"task_struct", "signal"}},
		{&l.signalLive, []string{"signal_struct", "live", "counter"}},
		{&l.pidLevel, []string{"pid", "level"}},
		{&l.pidNumbers, []string{"pid", "numbers"}},
		{&l.upidNS, []string{"upid", "ns"}},
		{&l.nsInum, []string{"pid_namespace", "ns", "inum"}},
	}
	for i := range a.args {
		entries = append(entries, entry{&l.args[i], a.args[i]}, entry{&l.compatArgs[i], a.compatArgs[i]})
	}
	for _, e := range entries {
		if e.path == nil {
			continue
		}
		if *e.offset, err = live.Offset(spec, e.path...); err != nil {
			return nil, err
		}
	}
	var upid *btf.Struct
	if err := spec.TypeByName("upid", &upid); err != nil {
		return nil, fmt.Errorf("%w: type upid: %w", live.ErrKernelTooOld, err)
	}
	l.upidSize = int16(upid.Size)
	var pid *btf.Struct
	if err := spec.TypeByName("pid", &pid); err != nil {
		return nil, fmt.Errorf("%w: type pid: %w", live.ErrKernelTooOld, err)
	}
	for _, m := range pid.Members {
		if array, is := btf.UnderlyingType(m.Type).(*btf.Array); is && m.Name == "numbers" {
			l.flexible = array.Nelems == 0
		}
	}
	var function *btf.Func
	l.x32 = spec.TypeByName(x32Function, &function) == nil
	for i, name := range a.returning {
		if err := spec.TypeByName(name, &function); err == nil {
			l.returning = append(l.returning, name)
		} else if i == 0 {
			break
		}
	}
	return l, nil
}
