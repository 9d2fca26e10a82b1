package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"seccomp-hook/pkg/arch"
)

// dockerProperties are those of a profile that Docker or Podman reads: what
// they add to the runtime-spec's linux.seccomp (moby/profiles/seccomp,
// containers/common/pkg/seccomp).
var dockerProperties = func() []property[object] {
	list := []property[object]{
		{"archMap", func(d *decoder, o *object) error {
			o.Form = FormDocker
			return d.array(func(int) error {
				var m ArchMapping
				err := readObject(d, &m, archMapProperties, func(string) { o.unknown(d, -1) })
				for _, name := range append([]string{m.Architecture}, m.SubArchitectures...) {
					if _, ok := arch.ByOCI(name); !ok && name != "" {
						o.warn(WarnArch, -1, func() (string, string) {
							return d.place(), fmt.Sprintf("architecture %q is unknown and ignored", name)
						})
					}
				}
				o.ArchMap = append(o.ArchMap, m)
				return err
			})
		}},
		{"defaultErrno", func(d *decoder, o *object) error {
			o.Form = FormDocker
			return o.errno.readName(d)
		}},
	}
	for _, p := range runtimeProperties {
		if p.name == "syscalls" {
			p.read = func(d *decoder, o *object) error { return o.readSyscalls(d, dockerRuleProperties) }
		}
		list = append(list, p)
	}
	return list
}()

var archMapProperties = []property[ArchMapping]{
	{"architecture", func(d *decoder, m *ArchMapping) (err error) {
		m.Architecture, err = d.string()
		return err
	}},
	{"subArchitectures", func(d *decoder, m *ArchMapping) (err error) {
		m.SubArchitectures, err = d.strings()
		return err
	}},
}

// dockerRuleProperties are what a rule can have there.
var dockerRuleProperties = append([]property[rule]{
	{"name", func(d *decoder, r *rule) (err error) {
		r.object.Form = FormDocker
		r.name, err = d.string()
		return err
	}},
	{"comment", func(d *decoder, r *rule) (err error) {
		r.object.Form = FormDocker
		r.Comment, err = d.string()
		return err
	}},
	{"includes", func(d *decoder, r *rule) error { return r.readFilter(d, &r.Includes) }},
	{"excludes", func(d *decoder, r *rule) error { return r.readFilter(d, &r.Excludes) }},
	{"errno", func(d *decoder, r *rule) error {
		r.object.Form = FormDocker
		return r.errno.readName(d)
	}},
}, ruleProperties...)

func (r *rule) readFilter(d *decoder, into **Filter) error {
	r.object.Form = FormDocker
	f := new(Filter)
	*into = f
	err := readObject(d, f, filterProperties, func(string) { r.object.unknown(d, r.index) })
	if f.patch != "" {
		r.object.warn(WarnKernel, r.index, func() (string, string) {
			return d.place() + ".minKernel", fmt.Sprintf("minKernel %q counts as %q: kernels are told apart by two numbers", f.patch, f.MinKernel)
		})
	}
	for i, name := range f.Caps {
		if !slices.Contains(capabilities[:], name) {
			r.object.warn(WarnCapability, r.index, func() (string, string) {
				return fmt.Sprintf("%s.caps[%d]", d.place(), i), fmt.Sprintf("capability %q is unknown: no container has it", name)
			})
		}
	}
	for i, name := range f.Arches {
		if !dockerKnows(name) {
			r.object.warn(WarnArch, r.index, func() (string, string) {
				return fmt.Sprintf("%s.arches[%d]", d.place(), i), fmt.Sprintf("architecture %q is unknown: no machine is called so in includes and excludes", name)
			})
		}
	}
	return err
}

// dockerKnows reports whether moby calls an architecture so (goToNative), one
// that is never native included: Docker's own profile names x32.
func dockerKnows(name string) bool { return dockerNames()[name] }

var dockerNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, a := range arch.All() {
		names[dockerName(a)] = true
	}
	return names
})

var filterProperties = []property[Filter]{
	{"caps", func(d *decoder, f *Filter) (err error) {
		f.Caps, err = d.strings()
		return err
	}},
	{"arches", func(d *decoder, f *Filter) (err error) {
		f.Arches, err = d.strings()
		return err
	}},
	{"minKernel", func(d *decoder, f *Filter) error {
		d.space()
		pos := d.pos
		text, err := d.string()
		if err != nil {
			return err
		}
		version, ok := parseMinKernel(text)
		if parts := strings.SplitN(text, ".", 3); !ok && len(parts) == 3 {
			// Old profiles of Docker's have "4.8.0", which moby refuses today.
			if _, err := strconv.ParseUint(parts[2], 10, 8); err == nil {
				version, ok = parseMinKernel(parts[0] + "." + parts[1])
				f.patch = text
			}
		}
		if !ok {
			return d.fail(pos, "invalid kernel version %q, two numbers such as \"4.8\" expected", text)
		}
		f.MinKernel = &version
		return nil
	}},
}

// parseMinKernel reads a minKernel as moby does (KernelVersion.UnmarshalJSON):
// two numbers up to 255, not both 0. The empty string is a version that every
// kernel has.
func parseMinKernel(text string) (KernelVersion, bool) {
	if text == "" {
		return KernelVersion{}, true
	}
	major, minor, _ := strings.Cut(text, ".")
	var v KernelVersion
	var errs [2]error
	v.Major, errs[0] = strconv.ParseUint(major, 10, 8)
	v.Minor, errs[1] = strconv.ParseUint(minor, 10, 8)
	return v, errs[0] == nil && errs[1] == nil && v != KernelVersion{}
}

// dockerName returns moby's name for a native architecture, which includes and
// excludes list (moby/profiles/seccomp, goToNative). It has none for mips.
func dockerName(a *arch.Arch) string {
	switch a.Name {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "mips":
		return ""
	}
	return a.Name
}

// Applies reports whether a rule counts for a target: moby's setupSeccomp.
func (s *Syscall) Applies(t *Target) bool {
	native := dockerName(t.Native)
	has := func(c string) bool { return slices.Contains(t.Capabilities, c) }
	if f := s.Excludes; f != nil {
		if slices.Contains(f.Arches, native) || slices.ContainsFunc(f.Caps, has) ||
			f.MinKernel != nil && t.Kernel.atLeast(*f.MinKernel) {
			return false
		}
	}
	if f := s.Includes; f != nil {
		if len(f.Arches) > 0 && !slices.Contains(f.Arches, native) {
			return false
		}
		for _, c := range f.Caps {
			if !has(c) {
				return false
			}
		}
		if f.MinKernel != nil && !t.Kernel.atLeast(*f.MinKernel) {
			return false
		}
	}
	return true
}
