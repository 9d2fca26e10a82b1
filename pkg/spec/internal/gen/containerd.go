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
	var rules []specs.LinuxSyscall // in the order in which they first come
	var arches []string
	for _, a := range answers {
		for _, r := range a.Profile.Syscalls {
			if !slices.ContainsFunc(rules, func(s specs.LinuxSyscall) bool { return text(s) == text(r) }) {
				rules = append(rules, r)
			}
		}
		if a.Capability != "" || !a.Kernel {
			continue
		}
		arches = append(arches, dockerName(a.GOARCH))
		profile.DefaultAction = a.Profile.DefaultAction
		if native, ok := ociNames[a.GOARCH]; ok {
			others := slices.Clone(a.Profile.Architectures)
			others = slices.DeleteFunc(others, func(s specs.Arch) bool { return s == native })
			profile.ArchMap = append(profile.ArchMap, seccomp.Architecture{Arch: native, SubArches: others})
		}
	}
	for _, r := range rules {
		profile.Syscalls = append(profile.Syscalls, conditions(r, answers, arches)...)
	}
	return profile
}

// conditions returns rule r with what it depends on. There is more than one
// where any of several capabilities brings it: of one list all must be there.
func conditions(r specs.LinuxSyscall, answers []answer, arches []string) []*seccomp.Syscall {
	var includes, excludes seccomp.Filter
	var with []string          // the capabilities that bring it
	usual := map[string]bool{} // it is there without, by architecture
	written := text(r)
	for _, a := range answers {
		there := slices.ContainsFunc(a.Profile.Syscalls, func(s specs.LinuxSyscall) bool { return text(s) == written })
		name := dockerName(a.GOARCH)
		switch { // without capabilities comes first, on a new kernel before an old one
		case a.Capability == "" && a.Kernel:
			usual[name] = there
		case a.Capability == "" && usual[name] && !there:
			includes.MinKernel = &seccomp.KernelVersion{Kernel: 4, Major: 8}
		case a.Capability != "" && a.Kernel && there && !usual[name] && !slices.Contains(with, a.Capability):
			with = append(with, a.Capability)
		case a.Capability != "" && a.Kernel && !there && usual[name] && !slices.Contains(excludes.Caps, a.Capability):
			excludes.Caps = append(excludes.Caps, a.Capability)
		}
	}
	var there, lacking []string
	for _, name := range arches {
		if usual[name] {
			there = append(there, name)
		} else {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(lacking) < len(there): // or none lacks it
		excludes.Arches = lacking
	default:
		includes.Arches = there
	}
	var list []*seccomp.Syscall
	add := func(includes, excludes seccomp.Filter) {
		s := &seccomp.Syscall{LinuxSyscall: r}
		if text(includes) != "{}" {
			s.Includes = &includes
		}
		if text(excludes) != "{}" {
			s.Excludes = &excludes
		}
		list = append(list, s)
	}
	if len(there) > 0 {
		add(includes, excludes)
	}
	for _, c := range with {
		add(seccomp.Filter{Caps: []string{c}}, seccomp.Filter{})
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
