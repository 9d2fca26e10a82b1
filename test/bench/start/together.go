//go:build linux

package main

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// together prints how many containers a second start where many start at once.
func (s *scene) together(out io.Writer, name string, r ociRuntime, many, rounds int) error {
	front, err := s.behind(r)
	if err != nil {
		return err
	}
	c := &comparison{name: name, spent: s.spent}
	for _, w := range []struct {
		name    string
		runtime ociRuntime
		change  func(*specs.Spec) error
	}{
		{"none", r, func(*specs.Spec) error { return nil }},
		{"native", r, native},
		{"seccomp-runc", front, native},
	} {
		var bundles []*bundle
		for i := range many {
			dir := fmt.Sprintf("%s-together-%s-%d", filepath.Base(r[0]), w.name, i)
			var changeErr error
			b, err := s.newBundle(filepath.Join(s.dir, dir), func(spec *specs.Spec) { changeErr = w.change(spec) })
			if err != nil {
				return err
			}
			if changeErr != nil {
				return changeErr
			}
			bundles = append(bundles, b)
		}
		c.ways = append(c.ways, way{name: w.name, once: func() (time.Duration, error) { return s.runAll(w.runtime, bundles) }})
	}
	times, err := c.measure(rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n| filter | containers a second | over native's | CPU ms each |\n| --- | ---: | ---: | ---: |\n", c.name)
	native := times[1].wall
	for i, w := range c.ways {
		s, each := times[i].wall, times[i].processors
		over := "-"
		if i > 1 {
			over = estimateOf(rounds, func(r []int) float64 { return native.median(r) / s.median(r) }).String()
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", w.name,
			estimateOf(rounds, func(r []int) float64 { return float64(many) * 1000 / s.median(r) }), over,
			estimateOf(rounds, func(r []int) float64 { return each.median(r) / float64(many) }))
	}
	return nil
}

// runAll runs all bundles at once and returns how long it took until the last had ended.
func (s *scene) runAll(r ociRuntime, bundles []*bundle) (time.Duration, error) {
	var running []*exec.Cmd
	begin := time.Now()
	for _, b := range bundles {
		argv := append(append([]string{}, r...), "--root", filepath.Join(s.dir, "state"), "run", "--bundle", b.dir, s.id())
		cmd := exec.Command(argv[0], argv[1:]...)
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		running = append(running, cmd)
	}
	var failed error
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil && failed == nil {
			failed = fmt.Errorf("%s of %d: %w", cmd.Args[0], len(bundles), err)
		}
	}
	return time.Since(begin), failed
}

// stay prints which processes stay with a running container, and what memory is
// theirs alone.
func (s *scene) stay(out io.Writer, name string, r ociRuntime) error {
	front, err := s.behind(r)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n| container | processes | KiB of each |\n| --- | ---: | --- |\n", name)
	for _, detached := range []bool{true, false} {
		b, err := s.newBundle(filepath.Join(s.dir, fmt.Sprintf("%s-stay-%v", filepath.Base(r[0]), detached)), func(spec *specs.Spec) {
			err = native(spec)
			spec.Process.Args = []string{"/bin/sleep", "1000000"}
		})
		if err != nil {
			return err
		}
		if err := s.stayOne(out, front, b, detached); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) stayOne(out io.Writer, r ociRuntime, b *bundle, detached bool) error {
	id, label := s.id(), "in the foreground, its runtime left out"
	args := []string{"--root", filepath.Join(s.dir, "state"), "run", "--bundle", b.dir, id}
	if detached {
		label = "detached"
		args = append(args[:3:3], append([]string{"--detach"}, args[3:]...)...)
	}
	cmd := exec.Command(r[0], append(append([]string{}, r[1:]...), args...)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	if detached {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	if err := s.running(r, id); err != nil {
		return err
	}
	pids, err := s.processes()
	if err != nil {
		return err
	}
	count, sizes := 0, ""
	for _, pid := range pids {
		if pid == selfPID || !detached && pid == cmd.Process.Pid {
			continue
		}
		n, err := private(pid)
		if err != nil {
			continue // it was about to end
		}
		count++
		sizes += " " + strconv.Itoa(n)
	}
	fmt.Fprintf(out, "| %s | %d |%s |\n", label, count, sizes)
	if detached {
		_, err = s.time(r, "delete", "--force", id)
		return err
	}
	_, err = s.time(r, "kill", id, "KILL")
	_ = cmd.Wait() // the container's status is its own; it is deleted by then
	return err
}
