package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/watch"
)

func watchCommand() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "watch (ID | --pid N | --cgroup PATH) [flags]",
		Short: "Count a container's calls while it runs, and say what became of them",
		Long: `Count the calls of a container while it runs: how many of each, which the kernel
answers from its cache, which run the filter and for how many instructions, and
which are denied, with the rule of the profile that says so.

It ends with the container, after --for, or when it is interrupted. In a terminal
the table is written anew each second, else once at the end.

It takes root (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN for the programs), Linux 6.1
and BTF. Nothing stays in the kernel, whatever ends the command.`,
		Args: cobra.MaximumNArgs(1),
		RunE: w.run,
	}
	flags := cmd.Flags()
	w.register(cmd)
	flags.DurationVar(&w.duration, "for", 0, "how long, such as 10s (default: until the container ends)")
	flags.BoolVar(&w.json, "json", false, "write JSON: one object at the end, or one a denied call with --denials")
	flags.IntVar(&w.top, "top", 0, "show only the `N` calls that are made most, and those that are denied")
	flags.BoolVar(&w.denials, "denials", false, "write a line for each denied call, at most ten a second for each call and rule, and no table")
	flags.StringVar(&w.weights, "weights", "", "`FILE` to write, for compile --weights")
	return cmd
}

// register adds the flags that name a container.
func (f *subjectFlags) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.pid, "pid", 0, "a process of the container; its PID namespace, or where that is the host's, the process and what descends from it")
	cmd.Flags().StringVar(&f.cgroup, "cgroup", "", "`PATH` of a cgroup (version 2), with those below")
	cmd.Flags().StringVar(&f.profile, "profile", "", "`PROFILE` of a container that is not from here, for the rules")
	cmd.Flags().StringVar(&f.target.caps, "caps", "", "`SET` of capabilities that --profile is resolved for")
	rootFlag(cmd, &f.root)
}

// watching is the command.
type watching struct {
	subjectFlags
	duration time.Duration
	json     bool
	top      int
	denials  bool
	weights  string

	mu      sync.Mutex
	samples map[sampleKey][]*watch.Denial
}

// samplesPerKind is how many denied calls of a kind are shown with their
// arguments.
const samplesPerKind = 3

func (w *watching) run(cmd *cobra.Command, args []string) error {
	if err := positive(cmd, "pid", "for", "top"); err != nil {
		return err
	}
	s, err := w.find(args)
	if err != nil {
		return needsRoot(err)
	}
	if err := writable(w.weights); err != nil {
		return err
	}
	tell(cmd, s.warnings)
	o := s.options()
	o.Samples = samplesPerKind
	var lines *denialLines
	if w.denials {
		o.Samples = -1
		lines = &denialLines{out: cmd.OutOrStdout(), json: w.json, id: s.id, rule: s.rule}
	}
	watcher, err := watch.New(o)
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Close() }() // it ends with the process anyhow
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	ended, err := w.end(s.pid)
	if err != nil {
		return err
	}
	if err := watcher.Start(true); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: counting the calls of process %d\n", cmd.CommandPath(), s.pid); err != nil {
		return err
	}
	began := time.Now()
	w.samples = map[sampleKey][]*watch.Denial{}
	told := make(chan error, 1)
	go func() {
		told <- watcher.Denials(func(d *watch.Denial) {
			if lines != nil {
				lines.add(d)
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			key := sampleKey{watch.Call{Token: d.Call.Arch, Nr: d.Call.Nr}, d.Return}
			if len(w.samples[key]) < samplesPerKind {
				w.samples[key] = append(w.samples[key], d)
			}
		})
	}()
	if err := w.wait(ctx, cmd.OutOrStdout(), watcher, s, began, ended, lines); err != nil {
		return err
	}
	if err := watcher.Stop(); err != nil {
		return err
	}
	took := time.Since(began)
	if err := <-told; err != nil {
		return err
	}
	counts, err := watcher.Read()
	if err != nil {
		return err
	}
	if w.weights != "" {
		if err := writeFile(w.weights, func(out io.Writer) error { return writeWeights(out, s, counts, took) }); err != nil {
			return err
		}
	}
	if lines != nil {
		return lines.finish(&counts.Lost)
	}
	return w.report(cmd.OutOrStdout(), s, counts, took)
}

// wait waits for the end, and shows what there is meanwhile.
func (w *watching) wait(ctx context.Context, out io.Writer, watcher *watch.Watcher, s *subject, began time.Time, ended <-chan struct{}, lines *denialLines) error {
	var over <-chan time.Time
	if w.duration > 0 {
		over = time.After(w.duration)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := w.live(out)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return nil
		case <-ended:
			return nil
		case <-tick.C:
			if lines != nil {
				if err := lines.tick(); err != nil {
					return err
				}
			}
			if !live {
				continue
			}
			counts, err := watcher.Read()
			if err != nil {
				return err
			}
			if err := w.report(out, s, counts, time.Since(began)); err != nil {
				return err
			}
		}
	}
}

// live says that the table is written anew in its place.
func (w *watching) live(out io.Writer) bool { return isTerminal(raw(out)) && !w.json && !w.denials }

func (w *watching) report(out io.Writer, s *subject, counts *watch.Counts, took time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := newReport(s, counts, w.samples, took)
	if w.live(out) {
		const home = "\x1b[H\x1b[2J" // and clear
		if _, err := io.WriteString(raw(out), home); err != nil {
			return err
		}
	}
	if w.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return r.write(out, w.top)
}

// end returns a channel that is closed when there is nobody left to watch: with
// a container's first process all others end, but not with one of a cgroup.
func (w *watching) end(pid int) (<-chan struct{}, error) {
	if w.cgroup != "" {
		return watch.Emptied(w.cgroup)
	}
	return endOf(pid)
}

// endOf returns a channel that is closed when a process ends.
func endOf(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if n, err := unix.Poll(poll, -1); n > 0 || !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}

func isTerminal(out io.Writer) bool {
	file, is := out.(*os.File)
	if !is {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
