// Package verify decides, for all 2^512 inputs, whether a program and a
// policy, two programs, or two policies give every system call the same
// return value.
package verify
