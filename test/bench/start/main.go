//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	rounds := flag.Int("rounds", 60, "rounds, in each of which every way is measured once")
	only := flag.String("only", "", "measure only the tables with this `TEXT` in their names")
	many := flag.Int("many", 50, "how many containers start at once")
	core := flag.Bool("core", false, "have one processor for all")
	pods := flag.String("density", "", "measure nothing but probes and pods, with these `NUMBERS` of pods of each kind: 1,20,60")
	period := flag.Duration("period", nodePeriod, "in which each of these pods is probed once")
	repository := flag.String("repository", "../..", "`DIR` with bin/, as make leaves it")
	flag.Parse()
	var counts []int
	var err error
	if *pods != "" {
		counts, err = parseCounts(*pods)
	}
	if err == nil {
		err = run(os.Stdout, *repository, *rounds, *core, func(s *scene, out io.Writer) error {
			if len(counts) > 0 {
				return s.density(out, counts, *rounds, *period)
			}
			return s.starts(out, *rounds, *many, *only)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run has something measured in a scene.
func run(out io.Writer, repository string, rounds int, core bool, measure func(*scene, io.Writer) error) (err error) {
	if rounds < 1 {
		return errors.New("-rounds: less than 1")
	}
	if repository, err = filepath.Abs(repository); err != nil {
		return err
	}
	s, err := enter(repository)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	about, err := machine()
	if err == nil && core {
		about += ", one of them for all"
		err = oneCore()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s; %d rounds; medians (95 %% intervals).\n", about, rounds)
	return measure(s, out)
}

// starts prints the tables of the start of containers and of their execs.
func (s *scene) starts(out io.Writer, rounds, many int, only string) error {
	runc, err := s.tool("tools/runc")
	if err != nil {
		return err
	}
	crun, err := exec.LookPath("crun")
	if err != nil {
		return fmt.Errorf("%w (run `make dependencies` first)", err)
	}
	if strings.Contains(processesName, only) {
		if err := s.programs(out, rounds, ociRuntime{runc}, ociRuntime{crun}); err != nil {
			return err
		}
	}
	for _, r := range []ociRuntime{{runc}, {crun, "--cgroup-manager=cgroupfs"}} {
		if err := s.compare(out, r, rounds, many, only); err != nil {
			return err
		}
	}
	return s.shims(out, rounds, only)
}

// compare prints the tables of one runtime.
func (s *scene) compare(out io.Writer, r ociRuntime, rounds, many int, only string) error {
	version, err := versionOf(r)
	if err != nil {
		return err
	}
	if name := "run /bin/true, " + version; strings.Contains(name, only) {
		c, err := s.runs(name, r)
		if err == nil {
			err = c.report(out, rounds)
		}
		if err != nil {
			return err
		}
	}
	if name := "exec /bin/true, " + version; strings.Contains(name, only) {
		if err := s.execs(out, name, r, rounds); err != nil {
			return err
		}
	}
	if name := fmt.Sprintf("%d at once, %s", many, version); strings.Contains(name, only) {
		if err := s.together(out, name, r, many, (rounds+9)/10); err != nil {
			return err
		}
	}
	if name := "who stays with a container, " + version; strings.Contains(name, only) {
		if err := s.stay(out, name, r); err != nil {
			return err
		}
	}
	return nil
}

// versionOf returns a runtime's name and version.
func versionOf(r ociRuntime) (string, error) {
	text, err := exec.Command(r[0], "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", r[0], err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.Replace(line, " version", "", 1), nil
}

// behind puts seccomp-runc in front of a runtime.
func (s *scene) behind(r ociRuntime) (ociRuntime, error) {
	front, err := s.tool("seccomp-runc")
	return append(ociRuntime{front, "--real-runtime", r[0]}, r[1:]...), err
}

// runs are the ways to run a container.
func (s *scene) runs(name string, r ociRuntime) (*comparison, error) {
	hook, err := s.tool("seccomp-hook")
	if err != nil {
		return nil, err
	}
	front, err := s.behind(r)
	if err != nil {
		return nil, err
	}
	bundles, err := s.bundles(hook, filepath.Base(r[0]), func(*specs.Spec) {})
	if err != nil {
		return nil, err
	}
	return &comparison{name: name, spent: s.spent, ways: []way{
		{name: "none", once: s.run(r, bundles.none, nil)},
		{name: "native", once: s.run(r, bundles.native, nil)},
		{name: "hook", once: s.run(r, bundles.hook, nil)},
		{name: "hook, empty store", once: s.run(r, bundles.empty, func() error { return emptied(bundles.emptied) })},
		{name: "seccomp-runc", once: s.run(front, bundles.own, nil)},
		{name: "seccomp-runc, empty store", once: s.run(front, bundles.own, func() error { return emptied(stateDir) })},
		{name: "a hook that only reads its input", once: s.run(r, bundles.floor, nil), floor: true},
	}}, nil
}

// bundles are a runtime's bundles, one for each kind of filter.
type bundles struct {
	none, native, own, hook, empty, floor *bundle
	emptied                               string // the folder of empty's hook
}

func (s *scene) bundles(hook, prefix string, change func(*specs.Spec)) (*bundles, error) {
	b := &bundles{emptied: filepath.Join(s.dir, prefix+"-emptied")}
	var err error
	make := func(name string, more func(*specs.Spec)) *bundle {
		made, e := s.newBundle(filepath.Join(s.dir, prefix+"-"+name), func(spec *specs.Spec) {
			change(spec)
			more(spec)
		})
		err = errors.Join(err, e)
		return made
	}
	b.none = make("none", func(*specs.Spec) {})
	b.native = make("native", func(spec *specs.Spec) { err = errors.Join(err, native(spec)) })
	b.own = make("own", func(spec *specs.Spec) { err = errors.Join(err, native(spec)) }) // in a control group of its own
	// seccomp-runc's folder is emptied, too.
	b.hook = make("hook", func(spec *specs.Spec) {
		hooked(spec, hook, "prestart", "--profile", profileName, "--root", filepath.Join(s.dir, prefix+"-kept"))
	})
	b.empty = make("empty", func(spec *specs.Spec) {
		hooked(spec, hook, "prestart", "--profile", profileName, "--root", b.emptied)
	})
	b.floor = make("floor", func(spec *specs.Spec) { hooked(spec, busybox, "cat") })
	return b, err
}

// emptied removes what is in a folder, if there is one. The folder itself can
// be a mount point.
func emptied(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// execs prints the table of the ways to execute a process in a running
// container. A hook has no way to.
func (s *scene) execs(out io.Writer, name string, r ociRuntime, rounds int) (err error) {
	hook, err := s.tool("seccomp-hook")
	if err != nil {
		return err
	}
	front, err := s.behind(r)
	if err != nil {
		return err
	}
	bundles, err := s.bundles(hook, filepath.Base(r[0])+"-exec", func(spec *specs.Spec) {
		spec.Process.Args = []string{"/bin/sleep", "1000000"}
	})
	if err != nil {
		return err
	}
	c := &comparison{name: name, spent: s.spent}
	var traced way
	var ends []func() error
	defer func() {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
	}()
	for _, w := range []struct {
		name    string
		runtime ociRuntime
		bundle  *bundle
	}{
		{"none", r, bundles.none},
		{"native", r, bundles.native},
		{"seccomp-runc", front, bundles.own},
	} {
		id, end, err := s.start(w.runtime, w.bundle)
		if err != nil {
			return err
		}
		ends = append(ends, end)
		c.ways = append(c.ways, way{name: w.name, once: s.exec(w.runtime, id)})
		if w.name == "none" {
			traced = way{name: "a tracer that does nothing else", once: s.execTraced(r, id), floor: true}
		}
	}
	c.ways = append(c.ways, traced)
	return c.report(out, rounds)
}
