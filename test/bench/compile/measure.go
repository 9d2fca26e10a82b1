package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// repeats is how often each compiler compiles a policy again in a round, when
// memory, caches and the processor's guesses are still its own.
const repeats = 3

// compare prints the table of one profile.
func compare(out io.Writer, name string, p *policy, rounds, attaches int) error {
	type entrant struct {
		compiler
		program bpf.Program
		depths  depths
		first   []time.Duration // to compile it, after others have compiled
		again   []time.Duration // and right after that
		attach  []time.Duration
	}
	var entrants []*entrant
	for _, c := range compilers {
		program, err := c.compile(p)
		if errors.Is(err, errCannot) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, c.name, err)
		}
		d, err := measure(p.meaning, program)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, c.name, err)
		}
		entrants = append(entrants, &entrant{compiler: c, program: program, depths: d})
	}
	for round := range rounds {
		for i := range entrants {
			e := entrants[(round+i)%len(entrants)] // nobody always follows the slowest
			runtime.GC()                           // what others left is not for this one to clear away
			for i := range 1 + repeats {
				start := time.Now()
				if _, err := e.compile(p); err != nil {
					return err
				}
				if took := time.Since(start); i == 0 {
					e.first = append(e.first, took)
				} else {
					e.again = append(e.again, took)
				}
			}
		}
	}
	for range attaches {
		for _, e := range entrants {
			d, err := attach(e.program)
			if err != nil {
				return fmt.Errorf("%s: %s: attach: %w", name, e.name, err)
			}
			e.attach = append(e.attach, d)
		}
	}
	fmt.Fprintf(out, "\n### %s\n\n", name)
	fmt.Fprintln(out, "| compiler | length | mean | mean, not cached | mean, argument-checked | other verdicts | first compile | ratio | compile again | ratio | attach | ratio |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, e := range entrants {
		fmt.Fprintf(out, "| %s | %d | %.2f | %.2f | %.2f | %d of %d | %s | %s | %s |\n", e.name, len(e.program),
			e.depths.all.mean(), e.depths.uncached.mean(), e.depths.checked.mean(), e.depths.wrong, e.depths.samples,
			timing(e.first, entrants[0].first), timing(e.again, entrants[0].again), timing(e.attach, entrants[0].attach))
	}
	return nil
}

// timing is two columns: the shortest time, and its ratio to that of the first
// row. What else a machine does only ever makes a time longer.
func timing(times, first []time.Duration) string {
	if len(times) == 0 {
		return "- | -"
	}
	shortest := slices.Min(times)
	return fmt.Sprintf("%d µs | %.1f", shortest.Microseconds(), float64(shortest)/float64(slices.Min(first)))
}

// depths is how many instructions a program executes until the verdict:
// averages over the calls of the native architecture that have a name.
type depths struct {
	all, uncached, checked average
	samples, wrong         int
}

type average struct {
	sum   float64
	count int
}

func (a *average) add(v float64) { a.sum, a.count = a.sum+v, a.count+1 }

func (a *average) mean() float64 { return a.sum / float64(max(a.count, 1)) }

// measure runs every native call. What is not constant under the policy counts
// as the mean of as many samples as it has rules, each with arguments that one
// of them is for, and one that no rule is about. Whether a call is cached and
// constant is the policy's to say, so that all programs are measured alike.
func measure(meaning *spec.Policy, program bpf.Program) (depths, error) {
	var d depths
	token := &meaning.Tokens[0]
	a, _ := arch.ByAudit(token.Audit)
	ours, err := compile.Compile(meaning, compile.Options{})
	if err != nil {
		return d, err
	}
	table, err := precompute.NewTable(ours, token.Audit)
	if err != nil {
		return d, err
	}
	for nr := range a.Calls() {
		outcome := table.Lookup(nr)
		var mean average
		for _, call := range samples(token, nr, outcome.Constant) {
			words := call.Words(meaning.Endian)
			got, executed, err := program.RunCount(&words)
			if err != nil {
				return d, err
			}
			d.samples++
			if got != meaning.Evaluate(&call) {
				d.wrong++
			}
			mean.add(float64(executed))
		}
		d.all.add(mean.mean())
		if !outcome.Constant {
			d.checked.add(mean.mean())
		}
		if !outcome.Cached() {
			d.uncached.add(mean.mean())
		}
	}
	return d, nil
}

// samples are the calls that stand for one number.
func samples(token *spec.Token, nr uint32, constant bool) []bpf.Data {
	none := bpf.Data{Nr: nr, Arch: token.Audit}
	for i := range none.Args {
		none.Args[i] = 0x12345678
	}
	calls := []bpf.Data{none}
	if constant {
		return calls
	}
	for _, rule := range token.Lookup(nr).Rules {
		call := none
		for _, c := range rule.Conditions {
			switch c.Op {
			case spec.NE, spec.GT:
				call.Args[c.Arg] = c.Value + 1
			case spec.LT:
				call.Args[c.Arg] = c.Value - 1
			default:
				call.Args[c.Arg] = c.Value
			}
		}
		calls = append(calls, call)
	}
	return calls
}
