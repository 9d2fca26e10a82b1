package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/watch"
)

// sampleKey is a kind of denied calls.
type sampleKey struct {
	call watch.Call
	ret  bpf.Return
}

// watchReport is what watch writes; its JSON form is that of --json.
type watchReport struct {
	Version   int            `json:"version"`
	Container string         `json:"container,omitempty"`
	PID       int            `json:"pid"`
	Profile   string         `json:"profile,omitempty"`
	Seconds   float64        `json:"seconds"`
	Calls     []reportedCall `json:"calls"`
	Sum       reportSum      `json:"sum"`
	Lost      reportLost     `json:"lost"`
}

// reportedCall is one call. Calls is Cached, Ran, Unfiltered, Other, Refused,
// and what Verdicts has that was not executed.
type reportedCall struct {
	Call         string            `json:"call"` // "x86_64:read"
	Number       uint32            `json:"number"`
	Calls        uint64            `json:"calls"`
	Cached       uint64            `json:"cached"`
	Ran          uint64            `json:"ran"` // executed after the program ran
	Instructions uint64            `json:"instructions"`
	Denied       uint64            `json:"denied"`
	Unfiltered   uint64            `json:"unfiltered,omitempty"`
	Other        uint64            `json:"otherFilters,omitempty"`
	Refused      uint64            `json:"refusedByOtherFilters,omitempty"`
	Verdicts     []reportedVerdict `json:"verdicts,omitempty"`
}

type reportedVerdict struct {
	Action   string           `json:"action"`
	Executed bool             `json:"executed"`
	Calls    uint64           `json:"calls"`
	Rules    []string         `json:"rules,omitempty"`
	Samples  []reportedSample `json:"samples,omitempty"`
}

type reportedSample struct {
	PID     int      `json:"pid"`
	Command string   `json:"command"`
	Args    []string `json:"args"` // in hexadecimal
	Text    string   `json:"text"`
	Rule    string   `json:"rule"`
}

type reportSum struct {
	Calls                 uint64  `json:"calls"`
	Cached                uint64  `json:"cached"`
	Ran                   uint64  `json:"ran"`
	Denied                uint64  `json:"denied"`
	Instructions          uint64  `json:"instructions"`
	HitRate               float64 `json:"hitRate"` // of calls that are judged, how many the cache serves
	InstructionsPerSecond float64 `json:"instructionsPerSecond"`
}

type reportLost struct {
	Counts    uint64 `json:"counts"`
	Samples   uint64 `json:"samples"`
	Processes uint64 `json:"processes"`
}

func newReport(s *subject, counts *watch.Counts, samples map[sampleKey][]*watch.Denial, took time.Duration) *watchReport {
	r := &watchReport{
		Version:   schemaVersion,
		Container: s.id, PID: s.pid, Profile: s.name, Seconds: took.Seconds(), Calls: []reportedCall{},
		Lost: reportLost{counts.Lost.Counts, counts.Lost.Events, counts.Lost.Processes},
	}
	for i := range counts.Calls {
		c := &counts.Calls[i]
		call := reportedCall{
			Call: explain.Name(c.Token, c.Nr), Number: c.Nr, Calls: c.Total(), Cached: c.Cached, Ran: c.Ran,
			Instructions: c.Steps(), Denied: c.Denied(), Unfiltered: c.Unfiltered, Other: c.Other, Refused: c.Refused,
		}
		for _, v := range c.Verdicts {
			verdict := reportedVerdict{Action: v.Return.String(), Executed: v.Executed, Calls: v.Count}
			for _, d := range samples[sampleKey{c.Call, v.Return}] {
				sample := reportedSample{PID: d.PID, Command: d.Command, Args: hexadecimal(d.Call.Args), Text: explain.Decode(&d.Call), Rule: s.rule(&d.Call, d.Return)}
				verdict.Samples = append(verdict.Samples, sample)
				if !slices.Contains(verdict.Rules, sample.Rule) {
					verdict.Rules = append(verdict.Rules, sample.Rule)
				}
			}
			call.Verdicts = append(call.Verdicts, verdict)
		}
		r.Calls = append(r.Calls, call)
		r.Sum.Calls += call.Calls
		r.Sum.Cached += call.Cached
		r.Sum.Ran += call.Ran
		r.Sum.Denied += call.Denied
		r.Sum.Instructions += call.Instructions
	}
	slices.SortStableFunc(r.Calls, func(a, b reportedCall) int { return cmp.Compare(b.Calls, a.Calls) })
	judged := r.Sum.Cached + r.Sum.Ran + r.Sum.Denied
	for i := range r.Calls {
		judged -= r.Calls[i].Refused
	}
	if judged > 0 {
		r.Sum.HitRate = float64(r.Sum.Cached) / float64(judged)
	}
	if took > 0 {
		r.Sum.InstructionsPerSecond = float64(r.Sum.Instructions) / took.Seconds()
	}
	return r
}

// write writes the table: the top calls, 0 for all, and what is denied.
func (r *watchReport) write(out io.Writer, top int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "calls\tcached\tran\tinstructions\tdenied\t call\t")
	left := 0
	native := arch.Native().Name + ":"
	for i := range r.Calls {
		c := &r.Calls[i]
		if top > 0 && i >= top && c.Denied == 0 {
			left++
			continue
		}
		note := ""
		if n := c.Unfiltered; n > 0 {
			note += fmt.Sprintf(", %d by tasks without a filter", n)
		}
		if n := c.Other + c.Refused; n > 0 {
			note += fmt.Sprintf(", %d by tasks with other filters", n)
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t %s%s\n", c.Calls, c.Cached, c.Ran, c.Instructions, c.Denied, strings.TrimPrefix(c.Call, native), note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	if left > 0 {
		fmt.Fprintf(&b, "and %d more\n", left)
	}
	for i := range r.Calls {
		c := &r.Calls[i]
		for _, v := range c.Verdicts {
			how := "denied"
			if v.Executed {
				how = "executed"
			}
			fmt.Fprintf(&b, "\n%s: %s, %s %d times", strings.TrimPrefix(c.Call, native), v.Action, how, v.Calls)
			if len(v.Rules) > 0 {
				fmt.Fprintf(&b, ": %s", strings.Join(v.Rules, ", "))
			}
			b.WriteByte('\n')
			for _, s := range v.Samples {
				fmt.Fprintf(&b, "  %s by %s (%d)\n", s.Text, s.Command, s.PID)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d calls in %.1fs: %.2f%% from the kernel's cache, %d ran the filter for %.0f instructions a second, %d denied\n",
		r.Sum.Calls, r.Seconds, 100*r.Sum.HitRate, r.Sum.Calls-r.Sum.Cached-r.other(), r.Sum.InstructionsPerSecond, r.Sum.Denied)
	for _, lost := range []struct {
		n    uint64
		what string
	}{{r.Lost.Counts, "calls are in no count"}, {r.Lost.Samples, "denied calls are counted and not shown"}, {r.Lost.Processes, "processes are not watched"}} {
		if lost.n > 0 {
			fmt.Fprintf(&b, "LOST: %d %s\n", lost.n, lost.what)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// other is how many calls were not judged.
func (r *watchReport) other() uint64 {
	n := uint64(0)
	for i := range r.Calls {
		n += r.Calls[i].Unfiltered + r.Calls[i].Other + r.Calls[i].Refused
	}
	return n
}

// writeWeights writes what compile --weights reads. What the kernel's cache
// serves counts too: which calls it serves is for the program to decide.
func writeWeights(out io.Writer, s *subject, counts *watch.Counts, took time.Duration) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Calls of process %d in %.1fs, as seccomp-hook watch counted them.\n", s.pid, took.Seconds())
	if counts.Lost.Counts > 0 {
		fmt.Fprintf(&b, "# %d calls are in no count.\n", counts.Lost.Counts)
	}
	for i := range counts.Calls {
		c := &counts.Calls[i]
		name := explain.Name(c.Token, c.Nr)
		if strings.HasPrefix(name, "0x") {
			continue
		}
		const most = 1e9
		fmt.Fprintf(&b, "%s %d\n", name, min(c.Total(), most))
	}
	b.WriteString("* 0\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// hexadecimal writes arguments as strings: numbers of JSON have 53 bits in most
// readers.
func hexadecimal(args [6]uint64) []string {
	list := make([]string, len(args))
	for i, v := range args {
		list[i] = fmt.Sprintf("%#x", v)
	}
	return list
}
