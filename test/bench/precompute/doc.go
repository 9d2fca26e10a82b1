// Package precompute measures pkg/precompute against what else there is: tables
// against the kernel's loop over call numbers, and evaluation against running
// the program, here and in gVisor's interpreter.
package precompute
