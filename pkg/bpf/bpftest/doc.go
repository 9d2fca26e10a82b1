// Package bpftest makes random programs that the kernel accepts, and calls
// that are likely to take them apart, for the property tests of the packages
// that read programs.
package bpftest
