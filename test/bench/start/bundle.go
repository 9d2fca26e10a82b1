//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/reference"
	"seccomp-hook/pkg/spec"
)

// profileName is the profile of all containers.
const profileName = "builtin:docker"

// bundle is a folder with a config.json.
type bundle struct {
	dir string
	*specs.Spec
}

// newBundle makes a bundle over a root filesystem.
func (s *scene) newBundle(dir string, change func(*specs.Spec)) (*bundle, error) {
	b := &bundle{dir: dir, Spec: s.dockerSpec(filepath.Base(dir))}
	change(b.Spec)
	text, err := json.MarshalIndent(b.Spec, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return b, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
}

// dockerSpec is what Docker writes for `docker run busybox true`, network and
// devices left out, in a control group below the scene's. The version is the newest that crun 1.8 reads.
func (s *scene) dockerSpec(group string) *specs.Spec {
	capabilities := spec.DefaultCapabilities()
	return &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: s.rootfs},
		Process: &specs.Process{
			Args:         []string{"/bin/true"},
			Cwd:          "/",
			Env:          []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
			Capabilities: &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		Linux: &specs.Linux{
			CgroupsPath: filepath.Join(s.group, group),
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace},
			},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// native puts the profile in as linux.seccomp, as Docker does.
func native(s *specs.Spec) error {
	profile, err := spec.Builtin(profileName)
	if err != nil {
		return err
	}
	target := spec.Target{Capabilities: spec.DefaultCapabilities()}
	for _, name := range []string{"x86_64", "x86", "x32"} {
		a, ok := arch.ByName(name)
		if !ok {
			return fmt.Errorf("no architecture %q", name)
		}
		target.Archs = append(target.Archs, a)
	}
	target.Native = target.Archs[0]
	s.Linux.Seccomp, err = reference.Object(profile, target)
	return err
}

// hooked registers a prestart hook.
func hooked(s *specs.Spec, path string, args ...string) {
	s.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: path, Args: append([]string{filepath.Base(path)}, args...)}}} //nolint:staticcheck // deprecated by the spec, and what the product is for
}
