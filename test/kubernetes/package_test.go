//go:build integration

package kubernetes

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"seccomp-hook/test/integration"
)

// TestDebianPackage builds the packages as users do, compares what is in them, and
// runs a container with the files of this machine's.
func TestDebianPackage(t *testing.T) {
	dir := t.TempDir()
	// It builds everything twice.
	if out, err := exec.Command("make", "-C", integration.Root(t), "deb", "DEB_DIR="+dir).CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	unpacked := func(arch string) string { return filepath.Join(dir, arch) }
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			debs, err := filepath.Glob(filepath.Join(dir, "seccomp-hook_*_"+arch+".deb"))
			if err != nil || len(debs) != 1 {
				t.Fatal("packages: ", debs, err)
			}
			have, want := contents(t, debs[0]), wanted(t)
			if arch != runtime.GOARCH {
				isAnnouncer := func(file string) bool { return strings.HasSuffix(file, "/seccomp-hook-announce") }
				have, want = slices.DeleteFunc(have, isAnnouncer), slices.DeleteFunc(want, isAnnouncer)
			}
			if have, want := strings.Join(have, "\n"), strings.Join(want, "\n"); have != want {
				t.Errorf("want:\n%s\nhave:\n%s", want, have)
			}
			if arch == runtime.GOARCH {
				integration.MustCommand(t, "dpkg-deb", "--control", debs[0], filepath.Join(dir, "control"))
			}
			integration.MustCommand(t, "dpkg-deb", "--extract", debs[0], unpacked(arch))
			files, err := filepath.Glob(filepath.Join(unpacked(arch), "usr/bin/*"))
			must(t, err)
			for _, file := range files {
				program, err := elf.Open(file)
				must(t, err)
				if program.Machine != machine {
					t.Errorf("%s is for %v", file, program.Machine)
				}
				must(t, program.Close())
			}
		})
	}
	program := func(name string) string { return filepath.Join(unpacked(runtime.GOARCH), "usr/bin", name) }
	t.Run("manual", func(t *testing.T) { testManual(t, unpacked(runtime.GOARCH)) })
	t.Run("hook", func(t *testing.T) { integration.MustCommand(t, program("seccomp-hook"), "version") })
	t.Run("shim", func(t *testing.T) { integration.MustCommand(t, program("containerd-shim-seccomp-v2"), "-v") })
	t.Run("installed", func(t *testing.T) { testInstalled(t, program("seccomp-hook"), filepath.Join(dir, "control")) })
	// The front beside what it starts, and the two ways of doing without it.
	link := filepath.Join(dir, "seccomp-runc")
	must(t, os.Symlink(program("seccomp-hook"), link))
	for name, argv := range map[string][]string{
		"seccomp-runc":         {program("seccomp-runc")},
		"a link":               {link},
		"seccomp-hook runtime": {program("seccomp-hook"), "runtime"},
	} {
		t.Run(name, func(t *testing.T) { filters(t, argv...) })
	}
}

// testInstalled runs the script that dpkg runs after the files are there: the store
// has filters then, although no container has started.
func testInstalled(t *testing.T, program, control string) {
	integration.MustCommand(t, program, "store", "clear")
	t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
	integration.MustCommand(t, filepath.Join(control, "postinst"), "configure", "")
	if r := integration.MustCommand(t, program, "store", "verify"); strings.HasPrefix(r.Stdout, "0 stored") {
		t.Error(r)
	}
	integration.MustCommand(t, filepath.Join(control, "prerm"), "remove")
}

// filters checks that a container and an exec by this runtime have the profile
// that the container names.
func filters(t *testing.T, argv ...string) {
	t.Helper()
	plain := integration.Runc(t)
	rt := plain.Behind("packaged", append(argv, "--real-runtime", plain.Argv[0])...)
	docker := integration.Annotation("io.seccomp-hook.profile", "builtin:docker")
	want(t, integration.NewBundle(t, integration.WithVictim(integration.Probe, look[1:]...), docker).Run(rt), true, syscall.EPERM)

	b := integration.NewBundle(t, integration.WithVictim(integration.Probe, "pause"), docker)
	c := b.Create(rt)
	c.Start()
	want(t, c.Exec(append(b.Spec.Process.Args[:1:1], look[1:]...)...), true, syscall.EPERM)
	if r := c.Delete(true); r.Code != 0 {
		t.Error(r)
	}
}

// completions are where each shell looks for them.
var completions = []string{
	"/usr/share/bash-completion/completions/seccomp-hook",
	"/usr/share/zsh/vendor-completions/_seccomp-hook",
	"/usr/share/fish/vendor_completions.d/seccomp-hook.fish",
}

// manual are the pages there must be: one for each command that the help lists.
func manual(t *testing.T) []string {
	t.Helper()
	pages := append([]string{"seccomp-runc"}, commands(t, "seccomp-hook")...)
	if len(pages) < 15 {
		t.Errorf("only %d pages: %v", len(pages), pages)
	}
	return pages
}

// commands returns the names of the pages of a command and of those below it.
func commands(t *testing.T, page string, path ...string) []string {
	t.Helper()
	program := filepath.Join(integration.Root(t), ".build/deb", runtime.GOARCH, "seccomp-hook")
	help := integration.MustCommand(t, program, append(slices.Clone(path), "--help")...).Stdout
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	pages := []string{page}
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "completion" && name != "help" {
			pages = append(pages, commands(t, page+"-"+name, append(slices.Clone(path), name)...)...)
		}
	}
	return pages
}

// testManual reads the pages as man(1) does, which complains about what it does
// not understand, and lets each shell read its completion.
func testManual(t *testing.T, unpacked string) {
	for _, page := range manual(t) {
		r := integration.MustCommand(t, "man", "--warnings", "--encoding=UTF-8", "--local-file", filepath.Join(unpacked, "usr/share/man/man1", page+".1.gz"))
		if r.Stderr != "" && page != "seccomp-runc" || page != "seccomp-runc" && !strings.Contains(r.Stdout, "SYNOPSIS") {
			t.Errorf("%s: %s%s", page, r.Stderr, r.Stdout)
		}
	}
	for i, shell := range []string{"bash", "zsh", "fish"} {
		integration.MustCommand(t, shell, "-n", filepath.Join(unpacked, completions[i]))
	}
}

// wanted is what the package is to have: permissions and path of every file, and
// of every folder that is empty.
func wanted(t *testing.T) []string {
	t.Helper()
	want := []string{
		"-rw-r--r-- /lib/systemd/system/seccomp-hook-metrics.service",
		"-rw-r--r-- /lib/systemd/system/seccomp-hook-metrics.timer",
		"-rw-r--r-- /lib/systemd/system/seccomp-hook-warm.service",
		"drwxr-xr-x /etc/seccomp-hook/profiles/",
		"-rw-r--r-- /usr/share/containers/oci/hooks.d/seccomp-hook.json",
		"-rw-r--r-- /usr/share/doc/seccomp-hook/CHANGELOG.md",
		"-rw-r--r-- /usr/share/doc/seccomp-hook/README.md",
		"-rw-r--r-- /usr/share/doc/seccomp-hook/copyright",
		"-rw-r--r-- /usr/share/seccomp-hook/containerd-1.toml",
		"-rw-r--r-- /usr/share/seccomp-hook/containerd.toml",
	}
	for _, page := range manual(t) {
		want = append(want, "-rw-r--r-- /usr/share/man/man1/"+page+".1.gz")
	}
	for _, path := range completions {
		want = append(want, "-rw-r--r-- "+path)
	}
	for _, name := range programs {
		want = append(want, "-rwxr-xr-x /usr/bin/"+name)
	}
	docs, err := filepath.Glob(filepath.Join(integration.Root(t), "docs/*.md"))
	must(t, err)
	for _, doc := range docs {
		want = append(want, "-rw-r--r-- /usr/share/doc/seccomp-hook/docs/"+filepath.Base(doc))
	}
	slices.Sort(want)
	return want
}

// contents is what a package has, in the form of wanted. All of it is root's.
func contents(t *testing.T, deb string) []string {
	t.Helper()
	listing := integration.MustCommand(t, "dpkg-deb", "--contents", deb).Stdout
	var have []string
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line) // permissions, owner, size, day, time, path
		if len(fields) != 6 || fields[1] != "root/root" || !strings.HasPrefix(fields[5], "./") {
			t.Errorf("not a file of root's: %q", line)
			continue
		}
		path := fields[5][1:]
		if strings.HasSuffix(path, "/") && strings.Count(listing, " ."+path) > 1 {
			continue // there is something in this folder
		}
		have = append(have, fields[0]+" "+path)
	}
	slices.Sort(have)
	return have
}
