package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"seccomp-hook/pkg/compile"
)

// Key names everything that a Filter depends on: the Request, the compiler,
// and the build of this program, because tables of calls and the reading of
// profiles are compiled in.
type Key [sha256.Size]byte

// String returns the key in hexadecimal, the name of the store's entry.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// key returns the key of r. Fields are written with their lengths, so that no
// two requests run into one.
func (r *Request) key(build string) Key {
	var w writer
	w.string(magic) // with the version of the stored form
	w.string(build)
	w.string(compile.Version)
	w.number(1 + len(r.Also))
	for _, s := range r.sources() {
		w.string(s.Profile)
		w.flag(s.Text != nil)
		w.bytes(s.Text)
		w.flag(s.Seccomp)
	}
	capabilities := slices.Clone(r.Capabilities)
	if !r.conditional() {
		capabilities = nil
	}
	w.flag(capabilities != nil)
	slices.Sort(capabilities)
	w.strings(slices.Compact(capabilities))
	w.number(len(r.Architectures))
	for _, a := range r.Architectures {
		w.string(a.Name)
	}
	w.string(r.Kernel.String())
	w.flag(r.Strict)
	w.string(r.Compile.Optimize.String())
	return sha256.Sum256(w)
}

// conditional reports whether a profile of r may have rules that depend on
// capabilities. Those of linux.seccomp do not: whoever wrote config.json has
// decided already. So its Filter is the same whatever a container may do.
func (r *Request) conditional() bool {
	return slices.ContainsFunc(r.sources(), func(s Source) bool { return !s.Seccomp })
}
