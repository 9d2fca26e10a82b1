package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	s := series{4 * time.Millisecond, 1 * time.Millisecond, 3 * time.Millisecond, 2 * time.Millisecond}
	for _, test := range []struct {
		rounds []int
		want   float64
	}{
		{[]int{0}, 4},
		{[]int{0, 1, 2}, 3},
		{[]int{0, 1, 2, 3}, 2.5},
		{[]int{1, 1, 0}, 1},
	} {
		if got := s.median(test.rounds); got != test.want {
			t.Errorf("rounds %v: %v, want %v", test.rounds, got, test.want)
		}
	}
}

// Differences are taken within rounds: what disturbs all of a round does not
// count.
func TestOver(t *testing.T) {
	base := series{10 * time.Millisecond, 90 * time.Millisecond, 30 * time.Millisecond}
	var slower series
	for _, d := range base {
		slower = append(slower, d+2*time.Millisecond)
	}
	if got := slower.over(base, []int{0, 1, 2}); got != 2 {
		t.Errorf("over: %v, want 2", got)
	}
}

// An interval of 95 % contains the true median about that often.
func TestEstimateCovers(t *testing.T) {
	const experiments, rounds, truth = 300, 40, 20.0
	random := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for range experiments {
		var s series
		for range rounds {
			s = append(s, time.Duration((truth+random.NormFloat64()*5)*float64(time.Millisecond)))
		}
		e := estimateOf(rounds, s.median)
		if e.low > e.value || e.high < e.value {
			t.Fatalf("%v is outside its interval", e)
		}
		if e.low <= truth && truth <= e.high {
			hits++
		}
	}
	if hits < experiments*90/100 || hits == experiments {
		t.Errorf("%d of %d intervals contain the median, want about 95 %%", hits, experiments)
	}
}

func TestEstimateRepeats(t *testing.T) {
	s := series{3, 1, 4, 1, 5, 9, 2, 6}
	if a, b := estimateOf(len(s), s.median), estimateOf(len(s), s.median); a != b {
		t.Errorf("%v and %v of the same rounds", a, b)
	}
}
