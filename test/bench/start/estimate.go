package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// estimate is a statistic of a number of rounds.
type estimate struct {
	value, low, high float64 // low and high bound the interval of 95 %
}

// resamples is how many samples a bootstrap draws.
const resamples = 4000

// estimateOf computes a statistic that is a function of some of the rounds,
// given by number, and its percentile bootstrap interval (Efron 1979). Whole
// rounds are drawn, so that what was measured together stays together. The same
// rounds give the same interval.
func estimateOf(rounds int, statistic func(rounds []int) float64) estimate {
	drawn := make([]int, rounds)
	for i := range drawn {
		drawn[i] = i
	}
	e := estimate{value: statistic(drawn)}
	random := rand.New(rand.NewPCG(uint64(rounds), 0))
	values := make([]float64, resamples)
	for i := range values {
		for j := range drawn {
			drawn[j] = random.IntN(rounds)
		}
		values[i] = statistic(drawn)
	}
	slices.Sort(values)
	e.low, e.high = values[resamples*25/1000], values[resamples*975/1000]
	return e
}

func (e estimate) String() string { return fmt.Sprintf("%.1f (%.1f to %.1f)", e.value, e.low, e.high) }

// series is the times of one way, by round.
type series []time.Duration

// median is the median of some rounds' times, in milliseconds.
func (s series) median(rounds []int) float64 {
	return medianOf(rounds, func(i int) time.Duration { return s[i] })
}

// over is the median of some rounds' differences to another series, in
// milliseconds.
func (s series) over(other series, rounds []int) float64 {
	return medianOf(rounds, func(i int) time.Duration { return s[i] - other[i] })
}

func medianOf(rounds []int, value func(int) time.Duration) float64 {
	values := make([]time.Duration, len(rounds))
	for i, round := range rounds {
		values[i] = value(round)
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	if len(values)%2 == 0 {
		middle = (middle + values[len(values)/2-1]) / 2
	}
	return float64(middle) / float64(time.Millisecond)
}
