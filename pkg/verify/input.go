package verify

import (
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// words is the number of words in struct seccomp_data. Here they have the
// numbers of a little-endian machine's bpf.Words whatever the machine is, so
// that a call means the same to a policy and to programs for any byte order.
const words = bpf.SizeOf / 4

// wordAt returns the word that a load at offset reads on a machine of byte
// order e.
func wordAt(offset uint32, e bpf.Endian) int {
	w := int(offset / 4)
	if e == bpf.Big && offset >= bpf.OffIP {
		w ^= 1 // the other half of the 64-bit field
	}
	return w
}

// checkEndian reports whether e is a byte order.
func checkEndian(e bpf.Endian) error {
	if e != bpf.Little && e != bpf.Big {
		return fmt.Errorf("unknown byte order %d", e)
	}
	return nil
}

// callOf returns the call whose words w are, numbered as above.
func callOf(w *[words]uint32) bpf.Data {
	long := func(low int) uint64 { return uint64(w[low+1])<<32 | uint64(w[low]) }
	d := bpf.Data{Nr: w[bpf.OffNr/4], Arch: w[bpf.OffArch/4], IP: long(bpf.OffIP / 4)}
	for i := range d.Args {
		d.Args[i] = long(bpf.OffArgs/4 + 2*i)
	}
	return d
}

// An order says in which order the diagrams test the 512 bits of a call. It
// decides how large they get, never what they mean.
type order struct {
	level [words][32]uint32                 // of each bit
	bit   [bottom]struct{ word, bit uint8 } // the inverse
}

func newOrder(less func(yield func(word, bit int))) *order {
	var o order
	next := uint32(0)
	less(func(word, bit int) {
		o.level[word][bit] = next
		o.bit[next] = struct{ word, bit uint8 }{uint8(word), uint8(bit)}
		next++
	})
	return &o
}

// significance lists the words as filters ask for them. The call number comes
// before the architecture although programs ask the other way round: nearly
// all tests are on the number, and working on a set costs what lies above.
var significance = [words]int{0, 1, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 3, 2}

var (
	// wordwise tests word after word, each from its highest bit: small for
	// tests of words against constants, which is what filters consist of.
	wordwise = newOrder(func(yield func(word, bit int)) {
		for _, w := range significance {
			for bit := 31; bit >= 0; bit-- {
				yield(w, bit)
			}
		}
	})
	// bitwise tests the highest bit of all words, then the next one: small
	// where words are compared with, or added to, each other, for which
	// wordwise would have to remember a whole word.
	bitwise = newOrder(func(yield func(word, bit int)) {
		for bit := 31; bit >= 0; bit-- {
			for _, w := range significance {
				yield(w, bit)
			}
		}
	})
)
