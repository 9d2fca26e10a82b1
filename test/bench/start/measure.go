package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// way is one way to do the same thing.
type way struct {
	name string
	// once does it and returns how long that took.
	once func() (time.Duration, error)
	// floor marks what no way of ours can be faster than. It is compared with
	// nothing.
	floor bool
}

// comparison is a table: ways to do the same, the first without seccomp, the
// second the runtime's own.
type comparison struct {
	name string
	ways []way
}

// measure interleaves the ways.
func (c *comparison) measure(rounds int) ([]series, error) {
	times := make([]series, len(c.ways))
	random := rand.New(rand.NewPCG(uint64(rounds), uint64(len(c.ways))))
	for round := range rounds + 1 {
		for _, i := range random.Perm(len(c.ways)) {
			took, err := c.ways[i].once()
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.name, c.ways[i].name, err)
			}
			if round > 0 { // the first one warms caches and the store
				times[i] = append(times[i], took)
			}
		}
	}
	return times, nil
}

// report measures the ways and prints the table.
func (c *comparison) report(out io.Writer, rounds int) error {
	times, err := c.measure(rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n", c.name)
	fmt.Fprintln(out, "| filter | ms | ms over none | native's over this one's |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: |")
	none, native := times[0], times[1]
	for i, w := range c.ways {
		over, ratio := "-", "-"
		if i > 0 {
			over = estimateOf(rounds, func(r []int) float64 { return times[i].over(none, r) }).String()
		}
		if i > 1 && !w.floor {
			ratio = estimateOf(rounds, func(r []int) float64 { return native.over(none, r) / times[i].over(none, r) }).String()
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", w.name, estimateOf(rounds, times[i].median), over, ratio)
	}
	return nil
}
