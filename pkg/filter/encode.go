package filter

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// The stored form of a Filter is a magic number with the format's version, the
// SHA-256 of key and payload, and the payload: the fields of Filter in their
// order, integers little-endian, strings and lists behind their length. Each
// Filter has exactly one such form. It is binary because a container's start
// waits for it: reading takes a few microseconds, of which the digest is most.
const (
	magic      = "scfilt\x00\x01"
	headerSize = len(magic) + sha256.Size
)

// maxEncoded bounds a stored Filter. A program takes at most 32 KiB; the rest
// is for a profile's warnings.
const maxEncoded = 1 << 20

// ErrDamaged says that bytes are not a stored Filter, or not the one that was
// written under this key.
var ErrDamaged = errors.New("filter: damaged")

// MarshalBinary returns f in the form that the Store keeps, for one who hands
// a Filter to another process.
func (f *Filter) MarshalBinary() ([]byte, error) { return f.encode(Key{}) }

// UnmarshalBinary reads what MarshalBinary writes. For anything else the error
// wraps ErrDamaged.
func (f *Filter) UnmarshalBinary(b []byte) error { return f.decode(Key{}, b) }

// encode returns the stored form of f under a key.
func (f *Filter) encode(key Key) ([]byte, error) {
	program, err := f.Program.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := writer(make([]byte, headerSize, headerSize+len(program)+1024))
	w.bytes(program)
	for _, on := range flags(&f.Flags) {
		w.flag(*on)
	}
	w.flag(f.Listener != nil)
	if f.Listener != nil {
		w.string(f.Listener.Path)
		w.string(f.Listener.Metadata)
	}
	w.string(f.Profile)
	w = append(w, f.ProfileDigest[:]...)
	w.string(f.Compiler)
	w.flag(f.Verified)
	w.strings(f.Warnings)
	w.number(len(f.Tables))
	for _, t := range f.Tables {
		table, err := t.MarshalBinary()
		if err != nil {
			return nil, err
		}
		w.bytes(table)
	}
	w.number(len(f.Statistics))
	for _, s := range f.Statistics {
		w.string(s.Arch)
		for _, n := range [...]int{s.Cached, s.Constant, s.Dynamic, s.Total} {
			w.number(n)
		}
	}
	if len(w) > maxEncoded {
		return nil, fmt.Errorf("filter: %d bytes, at most %d are stored", len(w), maxEncoded)
	}
	copy(w, magic)
	sum := digest(key, w[headerSize:])
	copy(w[len(magic):], sum[:])
	return w, nil
}

// decode sets f to what encode wrote under the same key.
func (f *Filter) decode(key Key, b []byte) error {
	if len(b) < headerSize || len(b) > maxEncoded || string(b[:len(magic)]) != magic {
		return fmt.Errorf("%w: not a stored filter of this version", ErrDamaged)
	}
	if sum := digest(key, b[headerSize:]); !bytes.Equal(sum[:], b[len(magic):headerSize]) {
		return fmt.Errorf("%w: the digest does not match", ErrDamaged)
	}
	r := reader{rest: b[headerSize:]}
	g, err := r.filter()
	if err == nil && (r.damaged || len(r.rest) > 0) {
		err = errors.New("the fields do not fit")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	*f = *g
	return nil
}

// flags lists the fields of spec.Flags in the order in which they are stored.
func flags(f *spec.Flags) [4]*bool {
	return [...]*bool{&f.Log, &f.SpecAllow, &f.WaitKillableRecv, &f.Unset}
}

// digest covers the key, so that an entry under another's name is found out.
func digest(key Key, payload []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(key[:])
	h.Write(payload)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// writer appends fields.
type writer []byte

func (w *writer) number(n int) { *w = binary.LittleEndian.AppendUint32(*w, uint32(n)) }

func (w *writer) bytes(b []byte) {
	w.number(len(b))
	*w = append(*w, b...)
}

func (w *writer) string(s string) {
	w.number(len(s))
	*w = append(*w, s...)
}

func (w *writer) strings(list []string) {
	w.number(len(list))
	for _, s := range list {
		w.string(s)
	}
}

func (w *writer) flag(on bool) {
	var b byte
	if on {
		b = 1
	}
	*w = append(*w, b)
}

// reader takes fields off the front. After the first one that is not there it
// is damaged and returns zero values.
type reader struct {
	rest    []byte
	damaged bool
}

// filter reads the fields of a Filter. Where they do not fit it may return
// anything, and r is damaged.
func (r *reader) filter() (*Filter, error) {
	f := new(Filter)
	if err := f.Program.UnmarshalBinary(r.bytes()); err != nil {
		return nil, err
	}
	if err := f.Program.Validate(); err != nil {
		return nil, err
	}
	for _, on := range flags(&f.Flags) {
		*on = r.flag()
	}
	if r.flag() {
		f.Listener = &Listener{Path: r.string(), Metadata: r.string()}
	}
	f.Profile = r.string()
	copy(f.ProfileDigest[:], r.take(sha256.Size))
	f.Compiler = r.string()
	f.Verified = r.flag()
	if warnings := r.strings(); len(warnings) > 0 {
		f.Warnings = warnings
	}
	for n := r.number(); n > 0 && !r.damaged; n-- {
		table, err := precompute.DecodeTable(r.bytes(), f.Program)
		if err != nil {
			return nil, err
		}
		f.Tables = append(f.Tables, table)
	}
	for n := r.number(); n > 0 && !r.damaged; n-- {
		s := precompute.Statistics{Arch: r.string()}
		for _, field := range [...]*int{&s.Cached, &s.Constant, &s.Dynamic, &s.Total} {
			*field = r.number()
		}
		f.Statistics = append(f.Statistics, s)
	}
	return f, nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.damaged, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() int {
	b := r.take(4)
	if b == nil {
		return 0
	}
	n := binary.LittleEndian.Uint32(b)
	if n > 1<<31-1 {
		r.damaged = true
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(r.number()) }

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) strings() []string {
	n := r.number()
	if n > len(r.rest)/4 { // each has a length, so memory is bounded by the input
		r.damaged = true
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}

func (r *reader) flag() bool {
	b := r.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		r.damaged = true
	}
	return b[0] == 1
}
