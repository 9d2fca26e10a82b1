package precompute

import "math"

// starts cuts the call numbers into ranges: where each one starts, ascending.
// The first starts at 0, each ends before the next, and the last one at the last
// number.
type starts []uint32

// find returns the index of the range that nr is in.
func (s starts) find(nr uint32) int {
	low, high := 0, len(s)
	for high-low > 1 {
		if mid := int(uint(low+high) / 2); s[mid] <= nr {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// last returns the last number of range i.
func (s starts) last(i int) uint32 {
	if i+1 < len(s) {
		return s[i+1] - 1
	}
	return math.MaxUint32
}
