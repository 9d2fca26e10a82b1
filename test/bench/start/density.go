//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// podKinds are the ways that pods are run, in the order of a comparison.
var podKinds = []podKind{
	{"none", "", cri.SecurityProfile_Unconfined},
	{"native", "", cri.SecurityProfile_RuntimeDefault},
	{"our shim", ours, cri.SecurityProfile_RuntimeDefault},
}

// Of a node: what the figures are told for.
const (
	nodePods   = 100
	nodePeriod = 5 * time.Second
)

// density prints what exec probes take of the processors, and pods that come and go,
// where some pods of each kind run.
func (s *scene) density(out io.Writer, counts []int, rounds int, period time.Duration) (err error) {
	n, err := s.startNode()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.leave()) }()
	running := make([][]pod, len(podKinds))
	defer func() {
		for _, pods := range running {
			for _, p := range pods {
				n.staying -= n.perPod
				err = errors.Join(err, n.endPod(p))
			}
		}
	}()
	for _, count := range counts {
		for len(running[0]) < count {
			for i, k := range podKinds {
				p, err := n.startPod(k)
				if err != nil {
					return err
				}
				n.staying += n.perPod
				running[i] = append(running[i], p)
			}
		}
		if err := n.probes(out, running, rounds, period); err != nil {
			return err
		}
		if err := n.churn(out, count, rounds); err != nil {
			return err
		}
	}
	return n.shimSizes(out)
}

// probes prints what a probe takes where all pods of a kind are probed once in a period.
func (n *node) probes(out io.Writer, running [][]pod, rounds int, period time.Duration) error {
	c := &comparison{name: fmt.Sprintf("probe, %d pods of each kind", len(running[0])), spent: n.spent}
	for i, k := range podKinds {
		pods := running[i]
		c.ways = append(c.ways, way{name: k.name, once: func() (time.Duration, error) { return n.probeAll(pods, period) }})
	}
	return c.each(out, rounds, len(running[0]), true)
}

// probeAll probes each of the pods once, spread over a period as the kubelet does.
func (n *node) probeAll(pods []pod, period time.Duration) (time.Duration, error) {
	begin := time.Now()
	results := make(chan error, len(pods))
	for i, p := range pods {
		time.Sleep(time.Until(begin.Add(period * time.Duration(i) / time.Duration(len(pods)))))
		go func() { results <- n.probe(p) }()
	}
	var err error
	for range pods {
		err = errors.Join(err, <-results)
	}
	time.Sleep(time.Until(begin.Add(period)))
	return time.Since(begin), err
}

// churn prints what a pod takes that comes and goes: create, start, stop and remove.
func (n *node) churn(out io.Writer, count, rounds int) error {
	c := &comparison{name: fmt.Sprintf("a pod from start to end, beside %d of each kind", count), spent: n.spent}
	for _, k := range append(slices.Clone(podKinds), podKind{"our shim, none", ours, cri.SecurityProfile_Unconfined}) {
		c.ways = append(c.ways, way{name: k.name, once: func() (time.Duration, error) {
			begin := time.Now()
			p, err := n.startPod(k)
			if err == nil {
				err = n.endPod(p)
			}
			return time.Since(begin), err
		}})
	}
	return c.each(out, rounds, 1, false)
}

// each prints the table of a comparison whose ways do something a number of times at
// once; for probes with what they take of a node's processors.
func (c *comparison) each(out io.Writer, rounds, times int, probes bool) error {
	measured, err := c.measure(rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n| filter | CPU ms each | over none | of native's | of native's, over none |", c.name)
	line := "\n| --- | ---: | ---: | ---: | ---: |"
	if probes {
		fmt.Fprintf(out, " processors, %d pods every %v |", nodePods, nodePeriod)
		line += " ---: |"
	}
	fmt.Fprintln(out, line)
	none, native := measured[0].processors, measured[1].processors
	for i, w := range c.ways {
		s := measured[i].processors
		cells := []string{"-", "-", "-"}
		if i > 0 {
			cells[0] = estimateOf(rounds, func(r []int) float64 { return s.over(none, r) / float64(times) }).String()
		}
		if i > 1 {
			cells[1] = ratioOf(rounds, func(r []int) float64 { return s.median(r) / native.median(r) })
			cells[2] = ratioOf(rounds, func(r []int) float64 { return s.over(none, r) / native.over(none, r) })
		}
		fmt.Fprintf(out, "| %s | %s | %s |", w.name, estimateOf(rounds, func(r []int) float64 { return s.median(r) / float64(times) }), strings.Join(cells, " | "))
		if probes {
			each := estimateOf(rounds, s.median).value / float64(times)
			fmt.Fprintf(out, " %.2f |", each*nodePods/float64(nodePeriod/time.Millisecond))
		}
		fmt.Fprintln(out)
	}
	return nil
}

// ratioOf is estimateOf for a ratio.
func ratioOf(rounds int, statistic func([]int) float64) string {
	e := estimateOf(rounds, statistic)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", e.value, e.low, e.high)
}

// shimSizes prints what memory is each shim's alone.
func (n *node) shimSizes(out io.Writer) error {
	pids, err := n.processes()
	if err != nil {
		return err
	}
	count, total := map[string]int{}, map[string]int{}
	for _, pid := range pids {
		path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			return err
		}
		size, err := private(pid)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(path), " (deleted)") // it has been built anew
		count[name]++
		total[name] += size
	}
	fmt.Fprint(out, "\n### memory of a pod's shim alone\n\n| shim | pods | KiB, mean |\n| --- | ---: | ---: |\n")
	for _, name := range []string{"containerd-shim-runc-v2", "containerd-shim-seccomp-v2"} {
		fmt.Fprintf(out, "| %s | %d | %d |\n", name, count[name], total[name]/max(1, count[name]))
	}
	return nil
}

// parseCounts reads numbers of pods, smallest first: "1,20,60".
func parseCounts(text string) ([]int, error) {
	var counts []int
	for _, field := range strings.Split(text, ",") {
		count, err := strconv.Atoi(field)
		if err != nil || count < 1 || len(counts) > 0 && count <= counts[len(counts)-1] {
			return nil, fmt.Errorf("-density %s: want numbers, the smallest first", text)
		}
		counts = append(counts, count)
	}
	return counts, nil
}
