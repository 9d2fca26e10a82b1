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
// rules up; and this project's verdict must never contradict it. Profiles that
// are written down here mean the same to both. Those that show a fault are only
// met at random, counted, and never printed or kept; what this project makes of
// such shapes is tested on it alone (TestRulesDecide).
package differential
