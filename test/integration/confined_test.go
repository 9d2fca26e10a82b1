//go:build integration

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// securityModule is one that gives the container's program a domain of its own at its
// execve, which the installer traces.
type securityModule struct {
	// confine asks for the domain in config.json.
	confine Option
	// label is what a process in it reads in /proc/self/attr/current.
	label string
	// hide keeps a file of the host's from the domain. It is read by its path in the
	// container, hidden.
	hide func(path string)
	// blind has the runtime, and what it starts, run where nobody may trace a
	// process of the domain.
	blind func(rt Runtime) Runtime
}

const hidden = "/hidden"

// TestAppArmor and TestSELinux: under each runtime, by the hook and by seccomp-runc,
// a container with a domain of its own is confined and filtered, and so is an exec.
// Where the engine may not trace that domain, no program runs unfiltered. Package
// machine boots kernels that have them on.
func TestAppArmor(t *testing.T) {
	if enabled, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); strings.TrimSpace(string(enabled)) != "Y" {
		t.Skip("the kernel has AppArmor off")
	}
	profiles := filepath.Join(t.TempDir(), "profiles")
	must(t, os.WriteFile(profiles, []byte(appArmorProfiles), 0o644))
	MustCommand(t, "apparmor_parser", "--replace", "--skip-cache", profiles)
	t.Cleanup(func() { MustCommand(t, "apparmor_parser", "--remove", profiles) })
	testConfined(t, securityModule{
		confine: func(b *Bundle) { b.Spec.Process.ApparmorProfile = "sht-container" },
		label:   "sht-container (enforce)",
		hide:    func(string) {}, // by its path in the container
		blind: func(rt Runtime) Runtime {
			argv := []string{"/bin/sh", "-c", `echo "exec sht-blind" >/proc/self/attr/exec && exec "$0" "$@"`}
			rt.Argv = append(argv, rt.Argv...)
			return rt
		},
	})
}

// appArmorProfiles are the container's, and an engine's that may do all but trace it.
const appArmorProfiles = `
profile sht-container flags=(attach_disconnected,mediate_deleted) {
	file, capability, network, signal, ptrace, mount, umount, pivot_root, unix,
	deny ` + hidden + ` rwklx,
}
profile sht-blind flags=(attach_disconnected,mediate_deleted) {
	file, capability, network, signal, mount, remount, umount, pivot_root, unix, change_profile,
	ptrace peer=sht-blind,
	ptrace peer=unconfined,
}
`

func TestSELinux(t *testing.T) {
	if list, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(list), "selinuxfs") {
		t.Skip("the kernel has SELinux off")
	}
	const fs = "/sys/fs/selinux"
	if err := unix.Mount("selinuxfs", fs, "selinuxfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		t.Fatal(err)
	}
	compiled := filepath.Join(t.TempDir(), "policy")
	version, err := os.ReadFile(filepath.Join(fs, "policyvers"))
	must(t, err)
	newest := 33 // of checkpolicy's
	if n, err := strconv.Atoi(string(version)); err == nil {
		newest = min(n, newest)
	}
	MustCommand(t, "checkpolicy", "-U", "allow", "-c", strconv.Itoa(newest), "-o", compiled, "testdata/selinux/policy.conf")
	policy, err := os.ReadFile(compiled)
	must(t, err)
	set := func(name, value string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(fs, name), []byte(value), 0o644))
	}
	set("load", string(policy))
	set("enforce", "1")
	t.Cleanup(func() { set("enforce", "0") }) // a policy stays until the machine ends
	testConfined(t, securityModule{
		confine: func(b *Bundle) { b.Spec.Process.SelinuxLabel = "system_u:system_r:container_t" },
		label:   "system_u:system_r:container_t",
		hide: func(path string) {
			must(t, unix.Setxattr(path, "security.selinux", []byte("system_u:object_r:secret_t"), 0))
		},
		blind: func(rt Runtime) Runtime {
			set("booleans/tracing", "0")
			set("commit_pending_bools", "1")
			t.Cleanup(func() { set("booleans/tracing", "1"); set("commit_pending_bools", "1") })
			return rt
		},
	})
}

func testConfined(t *testing.T, m securityModule) {
	// program says what it is and may: its domain, what became of the hidden file,
	// its filter.
	program := func(b *Bundle) []string {
		secret := filepath.Join(b.Dir, "rootfs", hidden)
		must(t, os.WriteFile(secret, nil, 0o644))
		m.hide(secret)
		probe := b.Install(Probe.Path(t))
		return []string{"/bin/sh", "-c", fmt.Sprintf("echo label: $(tr -d '\\0' </proc/self/attr/current); cat %s && echo hidden: read; exec %s %s", hidden, probe,
			strings.Join(append([]string{"status"}, call(nrUnshare)...), " "))}
	}
	check := func(t *testing.T, who string, lines map[string]string, filtered bool) {
		t.Helper()
		filters, unshare := "0", "0"
		if filtered {
			filters, unshare = "1", strconv.Itoa(-denyErrno)
		}
		if lines["label"] != m.label || lines["hidden"] != "" || lines["Seccomp_filters"] != filters ||
			filtered && lines[fmt.Sprintf("call %d", nrUnshare)] != unshare {
			t.Errorf("%s: %q", who, lines)
		}
	}
	for _, rt := range Runtimes(t) {
		for _, noNewPrivileges := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/nnp-%v", rt.Name, noNewPrivileges), func(t *testing.T) {
				confined := func(b *Bundle) {
					m.confine(b)
					NoNewPrivileges(noNewPrivileges)(b)
				}
				plain := NewBundle(t, confined)
				plain.Spec.Process.Args = program(plain)
				check(t, "without a filter", plain.Run(rt).Lines(), false)

				h := newHooked(t, "createRuntime", "deny.json", confined)
				h.Spec.Process.Args = program(h.Bundle)
				got := h.Run(rt)
				check(t, "by the hook", got.Lines(), true)
				if t.Failed() {
					t.Logf("%s\n%s", got, h.logged())
				}

				b := NewBundle(t, confined, denying(t), Args("/bin/sleep", "1000"))
				argv := program(b)
				c := b.Create(front(t, rt))
				c.Start()
				check(t, "exec", c.Exec(argv...).Lines(), true)
				c.Delete(true)
				b = NewBundle(t, confined, denying(t))
				b.Spec.Process.Args = program(b)
				check(t, "by seccomp-runc", b.Run(front(t, rt)).Lines(), true)
			})
		}
	}
	// A tracer that may not trace the domain: the program does not start, or is
	// filtered; crun installs its filter itself, and needs no tracer.
	for _, rt := range Runtimes(t) {
		t.Run("blind/"+rt.Name, func(t *testing.T) {
			plain := NewBundle(t, m.confine)
			plain.Spec.Process.Args = program(plain)
			check(t, "untraced", plain.Run(m.blind(rt)).Lines(), false)
			h := newHooked(t, "createRuntime", "deny.json", m.confine)
			h.Spec.Process.Args = program(h.Bundle)
			f := NewBundle(t, m.confine, denying(t))
			f.Spec.Process.Args = program(f)
			for who, got := range map[string]Result{"by the hook": h.Run(m.blind(rt)), "by seccomp-runc": f.Run(m.blind(front(t, rt)))} {
				t.Logf("%s: %s", who, got)
				if lines := got.Lines(); lines["Seccomp"] != "2" && strings.Contains(got.Stdout, ":") {
					t.Errorf("%s: unfiltered: %s", who, got)
				} else if lines["Seccomp"] == "2" {
					check(t, who, lines, true)
				}
			}
		})
	}
}
