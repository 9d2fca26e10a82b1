// Package reference makes of a profile the program that runc and libseccomp
// make of it, to hold this project's own compiler against. It drives libseccomp
// (github.com/seccomp/libseccomp-golang) as runc 1.5 does, call for call, and
// puts runc's -ENOSYS stub on top.
//
// That takes cgo and the library, so it is built with the tag libseccomp only;
// without it every function returns ErrNotBuilt. Nothing that users run needs
// it.
//
// It makes programs for other machines as well, of either byte order: a rule
// goes to libseccomp by the number that its call has on this machine, and is
// translated to the others by name, as for any architecture that a profile
// lists. What it cannot do is an architecture that the installed libseccomp
// does not know: loongarch64 came with 2.6.0, m68k and sh likewise.
//
// libseccomp is not always right, and for some profiles does not come back at
// all: see docs/libseccomp.md.
package reference

import "errors"

// ErrNotBuilt says that the program was built without libseccomp.
var ErrNotBuilt = errors.New("built without libseccomp (build tag libseccomp)")
