//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/pkg/shim"
	runc "github.com/containerd/go-runc"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/precompute"
)

// Annotations of RuntimeInfo.
const (
	annotationVersion = filter.AnnotationPrefix + "version"
	annotationActions = filter.AnnotationPrefix + "kernel.actions"
	annotationFlags   = filter.AnnotationPrefix + "kernel.flags"
	annotationCache   = filter.AnnotationPrefix + "kernel.cache"
	annotationModes   = filter.AnnotationPrefix + "install.modes"
	annotationFront   = filter.AnnotationPrefix + "runtime"
)

// Info says what runtime this is, which features the runtime behind it has with
// the front, and what the host gives it to work with.
func (m *manager) Info(ctx context.Context, optionsReader io.Reader) (*types.RuntimeInfo, error) {
	text, err := readOptions(optionsReader)
	if err != nil {
		return nil, err
	}
	info, err := m.Manager.Info(ctx, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	info.Annotations = hostAnnotations()
	front, err := findFront()
	if err != nil {
		return nil, err
	}
	info.Annotations[annotationFront] = front
	// The runtime's features are its own seccomp's; the front's are these.
	got, err := frontFeatures(ctx, front, text)
	if err != nil {
		return nil, err
	}
	info.Features, err = typeurl.MarshalAnyToProto(got)
	return info, err
}

// frontFeatures returns what the front says of itself and the runtime that the
// options name.
func frontFeatures(ctx context.Context, front string, optionsText []byte) (*features.Features, error) {
	binary := runc.DefaultCommand
	o, err := shim.ReadRuntimeOptions[*options.Options](bytes.NewReader(optionsText))
	if err == nil && o.BinaryName != "" {
		binary = o.BinaryName
	}
	path, err := exec.LookPath(binary)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("runtime %s: %w", binary, err)
	}
	cmd := exec.CommandContext(ctx, front, "--real-runtime", path, "features")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("%s features: %w", front, err)
	}
	got := new(features.Features)
	if err := json.Unmarshal(out, got); err != nil {
		return nil, fmt.Errorf("%s features: %w", front, err)
	}
	return got, nil
}

// hostAnnotations are this version's, the kernel's and the host's properties.
func hostAnnotations() map[string]string {
	a := map[string]string{
		annotationVersion: filter.Version(),
		annotationFlags:   strings.Join(install.OCIFlags(), ","),
		annotationActions: strings.Join(actions(), ","),
		annotationCache:   cache(),
	}
	modes, err := install.Modes()
	names := make([]string, len(modes))
	for i, mode := range modes {
		names[i] = string(mode)
	}
	a[annotationModes] = strings.Join(names, ",")
	if err != nil {
		a[annotationModes+".error"] = err.Error()
	}
	return a
}

// actions returns the kernel's seccomp actions by their OCI names.
func actions() []string {
	var names []string
	for _, action := range []struct {
		name  string
		value bpf.Return
	}{
		{"SCMP_ACT_KILL_PROCESS", bpf.RetKillProcess},
		{"SCMP_ACT_KILL_THREAD", bpf.RetKillThread},
		{"SCMP_ACT_TRAP", bpf.RetTrap},
		{"SCMP_ACT_ERRNO", bpf.RetErrno},
		{"SCMP_ACT_NOTIFY", bpf.RetUserNotif},
		{"SCMP_ACT_TRACE", bpf.RetTrace},
		{"SCMP_ACT_LOG", bpf.RetLog},
		{"SCMP_ACT_ALLOW", bpf.RetAllow},
	} {
		if install.ActionAvailable(action.value) {
			names = append(names, action.name)
		}
	}
	return names
}

// cache says for which of its tables the kernel caches calls that are always
// allowed, and how many calls each has: "x86_64:470,ia32:470"; "none" where it
// has no cache.
func cache() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown: " + err.Error()
	}
	kernel, err := precompute.KernelFor(unix.ByteSliceToString(name.Release[:]), arch.Native().Audit)
	switch {
	case errors.Is(err, precompute.ErrNoCache):
		return "none"
	case err != nil:
		return "unknown: " + err.Error()
	}
	tables := make([]string, len(kernel.Tables))
	for i, table := range kernel.Tables {
		tables[i] = fmt.Sprintf("%s:%d", table.Name, table.Size)
	}
	return strings.Join(tables, ",")
}
