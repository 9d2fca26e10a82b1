// Package bundle edits the config.json of an OCI bundle: it takes
// linux.seccomp out, so that the runtime installs no filter of its own, and
// puts hooks and annotations in.
//
// It works on the text. Whatever it was not asked to change keeps its bytes:
// unknown properties, their order, white space, and numbers that a float64
// cannot hold. It is stricter than the runtimes in one respect. Where two
// readers could disagree about which value counts (a key that occurs twice, a
// key that differs from "seccomp" only in case, which encoding/json takes for
// it and libocispec does not), it refuses the file, because one of the two
// readers would be unfiltered.
package bundle
