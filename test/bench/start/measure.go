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
	// spent is the processor time of all processes that were started so far.
	spent func() (time.Duration, error)
}

// measured is what the rounds of one way took: until it was done, and of the
// processors' time, by all processes that it caused, to the end of the last one.
type measured struct{ wall, processors series }

// measure interleaves the ways.
func (c *comparison) measure(rounds int) ([]measured, error) {
	times := make([]measured, len(c.ways))
	random := rand.New(rand.NewPCG(uint64(rounds), uint64(len(c.ways))))
	for round := range rounds + 1 {
		for _, i := range random.Perm(len(c.ways)) {
			before, err := c.spent()
			if err != nil {
				return nil, err
			}
			took, err := c.ways[i].once()
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.name, c.ways[i].name, err)
			}
			after, err := c.spent()
			if err != nil {
				return nil, err
			}
			if round > 0 { // the first one warms caches and the store
				times[i].wall = append(times[i].wall, took)
				times[i].processors = append(times[i].processors, after-before)
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
	fmt.Fprintln(out, "| filter | ms | ms over none | native's over this one's | CPU ms over none | native's over this one's |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: |")
	none, native := times[0], times[1]
	for i, w := range c.ways {
		cells := []string{"-", "-", "-", "-"}
		for j, s := range []struct{ none, native, this series }{
			{none.wall, native.wall, times[i].wall}, {none.processors, native.processors, times[i].processors},
		} {
			if i > 0 {
				cells[2*j] = estimateOf(rounds, func(r []int) float64 { return s.this.over(s.none, r) }).String()
			}
			if i > 1 && !w.floor {
				cells[2*j+1] = estimateOf(rounds, func(r []int) float64 { return s.native.over(s.none, r) / s.this.over(s.none, r) }).String()
			}
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", w.name, estimateOf(rounds, times[i].wall.median), cells[0], cells[1], cells[2], cells[3])
	}
	return nil
}
