// Package lint tells what in a profile may not mean what its author had in
// mind.
//
// A statement about a profile is a comparison of two policies: a rule has no
// effect if the profile without it is proved equal, a bit above the 32nd opens a
// call if the verdict on the lower word alone is proved different. So nothing
// here looks for patterns; pkg/spec says what a call gets from the rules that
// speak of it, pkg/verify whether two verdicts are the same, or where they
// differ. Every target that the profile tells apart is looked at, and each
// comparison is of one call, so that the whole costs little more than compiling.
//
// What is found is a value (Finding) with the id of its Rule and its place in
// the text; docs/lint.md has all rules, one by one.
package lint
