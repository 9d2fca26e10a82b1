// Package precomputetest has oracles for the emulator that work in other ways
// than it does: the kernel's own loop over call numbers, and a program run over
// memory that faults where it looks at more than number and architecture.
package precomputetest
