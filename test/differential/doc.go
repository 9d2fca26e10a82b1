// Package differential compares this project with runc and libseccomp: the
// meaning that pkg/spec gives a profile, and the program that pkg/compile makes
// of it, with the program that runc would install. The tests need libseccomp
// and cgo, so they have the build tag libseccomp; the one that asks a real runc
// has integration as well.
//
// libseccomp has faults (docs/libseccomp.md), so the comparison takes a third
// opinion: what the rules of the profile say of one call, read without regard
// to any order. A difference stands only where libseccomp's program contradicts
// that, or its own account of the filter, or where its tree is known to mix
// rules up; and this project's verdict must never contradict it. What a fault
// looks like is written down in testdata, and an entry that is no longer true
// fails like one that is missing.
package differential
