//go:build linux

package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// containerdModule has the default profile as a Go function of the machine's
// architecture, the kernel and the container's capabilities. To import it would
// make all that containerd needs a dependency of this module.
const containerdModule = "github.com/containerd/containerd/v2@v2.4.2"

// errNoModule says that containerd's source cannot be had on this machine.
var errNoModule = errors.New("module source is not available")

// probe is a module that prints what the function returns: its file
// seccomp_default.go is containerd's, which believes what probe tells it of
// architecture and kernel.
//
//go:embed probe
var probe embed.FS

// answer is one line of the probe's.
type answer struct {
	GOARCH     string
	Kernel     bool   // 4.8 or newer
	Capability string // the only one, "" for none
	Profile    *specs.LinuxSeccomp
}

// containerd returns containerd's default profile in Docker's format.
func containerd() ([]byte, error) {
	answers, err := runProbe()
	if err != nil {
		return nil, err
	}
	return format(asDocker(answers))
}

// runProbe asks the function for every architecture and capability.
func runProbe() ([]answer, error) {
	dir, err := os.MkdirTemp("", "seccomp-hook-gen-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, err := download(dir)
	if err != nil {
		return nil, err
	}
	if err := writeProbe(dir, source); err != nil {
		return nil, err
	}
	command := exec.Command("go", "run", "-mod=mod", ".")
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("probe: %w: %s", err, stderr.Bytes())
	}
	var answers []answer
	decoder := json.NewDecoder(bytes.NewReader(output))
	for decoder.More() {
		var a answer
		if err := decoder.Decode(&a); err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// download returns the source of the function.
func download(dir string) ([]byte, error) {
	command := exec.Command("go", "mod", "download", "-json", containerdModule)
	command.Dir = dir // outside of any module, so that nothing is recorded
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", containerdModule, errNoModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(output, &module); err != nil {
		return nil, fmt.Errorf("%s: %w", containerdModule, err)
	}
	return os.ReadFile(filepath.Join(module.Dir, "contrib/seccomp/seccomp_default.go"))
}

// writeProbe writes the probe's module into dir.
func writeProbe(dir string, source []byte) error {
	for from, to := range map[string]string{
		"runtime": "probe/runtime",
		"github.com/containerd/containerd/v2/pkg/kernelversion": "probe/kernelversion",
	} {
		old, replaced := []byte(fmt.Sprintf("\t%q\n", from)), []byte(fmt.Sprintf("\t%q\n", to))
		if bytes.Count(source, old) != 1 {
			return fmt.Errorf("seccomp_default.go does not import %s", from)
		}
		source = bytes.Replace(source, old, replaced, 1)
	}
	files := map[string][]byte{"seccomp/seccomp_default.go": source}
	for _, name := range []string{"main.go", "go.mod", "runtime/runtime.go", "kernelversion/kernelversion.go"} {
		text, err := probe.ReadFile("probe/" + name + ".txt")
		if err != nil {
			return err
		}
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// asDocker puts answers together to one profile: each rule once, with the
// architectures, the kernel and the capabilities that it depends on.
func asDocker(answers []answer) *seccomp.Seccomp {
	profile := &seccomp.Seccomp{}
	var rules []specs.LinuxSyscall // in the order they first come in
	find := func(r specs.LinuxSyscall) int {
		return slices.IndexFunc(rules, func(s specs.LinuxSyscall) bool { return text(r) == text(s) })
	}
	in := func(a answer, rule int) bool {
		return slices.ContainsFunc(a.Profile.Syscalls, func(s specs.LinuxSyscall) bool { return text(s) == text(rules[rule]) })
	}
	var arches []string
	for _, a := range answers {
		for _, r := range a.Profile.Syscalls {
			if find(r) < 0 {
				rules = append(rules, r)
			}
		}
		if a.Capability != "" || !a.Kernel {
			continue
		}
		arches = append(arches, dockerName(a.GOARCH))
		profile.DefaultAction = a.Profile.DefaultAction
		if native, ok := ociNames[a.GOARCH]; ok && len(a.Profile.Architectures) > 0 {
			profile.ArchMap = append(profile.ArchMap, seccomp.Architecture{
				Arch: native,
				SubArches: slices.DeleteFunc(slices.Clone(a.Profile.Architectures), func(s specs.Arch) bool {
					return s == native
				}),
			})
		}
	}
	for i, r := range rules {
		includes, excludes := &seccomp.Filter{}, &seccomp.Filter{}
		plain := map[string]bool{} // it is there without capabilities, by architecture
		for _, a := range answers {
			if a.Kernel && a.Capability == "" && in(a, i) {
				plain[dockerName(a.GOARCH)] = true
			}
		}
		always := len(plain) > 0
		for _, a := range answers {
			name := dockerName(a.GOARCH)
			switch there := in(a, i); {
			case there && !always:
				// A rule that only a capability brings: it is the same rule
				// for every architecture.
				if a.Capability != "" && !slices.Contains(includes.Caps, a.Capability) {
					includes.Caps = append(includes.Caps, a.Capability)
				}
			case !there && plain[name] && !a.Kernel:
				includes.MinKernel = &seccomp.KernelVersion{Kernel: 4, Major: 8}
			case !there && plain[name] && !slices.Contains(excludes.Caps, a.Capability):
				excludes.Caps = append(excludes.Caps, a.Capability)
			}
		}
		if always && len(plain) < len(arches) {
			for _, name := range arches {
				if plain[name] {
					includes.Arches = append(includes.Arches, name)
				}
			}
		}
		for n, c := range alternatives(includes.Caps) {
			_ = n
			s := &seccomp.Syscall{LinuxSyscall: r}
			own := *includes
			own.Caps = c
			if text(own) != "{}" {
				s.Includes = &own
			}
			if text(excludes) != "{}" {
				s.Excludes = excludes
			}
			profile.Syscalls = append(profile.Syscalls, s)
		}
	}
	return profile
}

// alternatives returns the lists of capabilities that a rule is written with:
// Docker's format wants all of one list, and here each is enough.
func alternatives(caps []string) [][]string {
	if len(caps) == 0 {
		return [][]string{nil}
	}
	var list [][]string
	for _, c := range caps {
		list = append(list, []string{c})
	}
	return list
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a type of this file, with nothing in it that can fail
	}
	return string(b)
}

// ociNames has the architectures that containerd lists others with.
var ociNames = map[string]specs.Arch{
	"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64, "mips64": specs.ArchMIPS64,
	"s390x": specs.ArchS390X, "riscv64": specs.ArchRISCV64, "loong64": specs.ArchLOONGARCH64,
}

// dockerName returns the name of a GOARCH in includes and excludes.
func dockerName(goarch string) string {
	switch goarch {
	case "386":
		return "x86"
	case "loong64":
		return "loongarch64"
	}
	return strings.NewReplacer("mips64le", "mipsel64", "mipsle", "mipsel").Replace(goarch)
}
