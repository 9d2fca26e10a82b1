package precompute_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"seccomp-hook/pkg/precompute"
)

func TestSetText(t *testing.T) {
	for text, want := range map[string]precompute.Set{
		"-":                         nil,
		"0":                         {{0, 0}},
		"0-334,337":                 {{0, 334}, {337, 337}},
		"1,0x40000000-0x40000208":   {{1, 1}, {0x40000000, 0x40000208}},
		"5-0xffffffff":              {{5, math.MaxUint32}},
		"0-0xffffffff":              {{0, math.MaxUint32}},
		"1073741823,0xfffffffe":     {{0x3fffffff, 0x3fffffff}, {0xfffffffe, 0xfffffffe}},
		"0-1,3,5-6,0x80000000":      {{0, 1}, {3, 3}, {5, 6}, {0x80000000, 0x80000000}},
		"2147483647,0xffffffff":     {{0x7fffffff, 0x7fffffff}, {math.MaxUint32, math.MaxUint32}},
		"0x10,0x20":                 {{16, 16}, {32, 32}},
		"0-0x3fffffff,0x40000001":   {{0, 0x3fffffff}, {0x40000001, 0x40000001}},
		"0x7ffffffe-0xfffffffe":     {{0x7ffffffe, 0xfffffffe}},
		"100-200,300-400,500-65536": {{100, 200}, {300, 400}, {500, 65536}},
	} {
		got, err := precompute.ParseSet(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
		again, err := precompute.ParseSet(got.String())
		if err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: written as %s, which is %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "x", "1,", "2-1", "2,1", "1,1", "1-3,3", "-1", "1-", "0x100000000", "1 2"} {
		if s, err := precompute.ParseSet(text); err == nil {
			t.Errorf("%q is taken for %v", text, s)
		}
	}
}

// TestSetOperations compares with a map of numbers, on small sets and on sets
// at both ends of the range.
func TestSetOperations(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 4))
	random := func(base uint32) (precompute.Set, map[uint32]bool) {
		var s precompute.Set
		m := map[uint32]bool{}
		for range r.IntN(6) {
			first := base + r.Uint32N(40)
			last := first + r.Uint32N(min(8, math.MaxUint32-first)+1)
			s = s.Union(precompute.Set{{First: first, Last: last}})
			for nr := uint64(first); nr <= uint64(last); nr++ {
				m[uint32(nr)] = true
			}
		}
		return s, m
	}
	for range 2000 {
		base := []uint32{0, 0x40000000, math.MaxUint32 - 47}[r.IntN(3)]
		s, inS := random(base)
		u, inU := random(base)
		for _, op := range []struct {
			name string
			got  precompute.Set
			want func(nr uint32) bool
		}{
			{"union", s.Union(u), func(nr uint32) bool { return inS[nr] || inU[nr] }},
			{"intersection", s.Intersect(u), func(nr uint32) bool { return inS[nr] && inU[nr] }},
			{"difference", s.Minus(u), func(nr uint32) bool { return inS[nr] && !inU[nr] }},
		} {
			n := uint64(0)
			for i := range uint32(48) {
				nr := base + i
				if op.got.Contains(nr) != op.want(nr) {
					t.Fatalf("%s of %v and %v: %v, wrong about %#x", op.name, s, u, op.got, nr)
				}
				if op.want(nr) {
					n++
				}
			}
			if op.got.Count() != n {
				t.Fatalf("%s of %v and %v: %v has %d numbers, not %d", op.name, s, u, op.got, op.got.Count(), n)
			}
			if again, err := precompute.ParseSet(op.got.String()); err != nil || !reflect.DeepEqual(again, op.got) {
				t.Fatalf("%v is not canonical: %v, %v", op.got, again, err)
			}
		}
	}
}

func TestSetBitmap(t *testing.T) {
	s := precompute.Set{{0, 1}, {63, 64}, {100, math.MaxUint32}}
	if got, want := s.Bitmap(102), []uint64{1<<63 | 3, 1 | 1<<36 | 1<<37}; !reflect.DeepEqual(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
