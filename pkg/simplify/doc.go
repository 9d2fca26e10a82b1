// Package simplify makes profiles shorter and more alike without changing what
// they mean: Format puts one into canonical form, Minimize leaves out what never
// decides. What they return is proved equal to what they were given, for every
// target that the profile tells apart: architectures, capabilities, kernels.
package simplify
