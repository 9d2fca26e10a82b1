// Package bpf holds a seccomp filter program as a value: classic BPF
// instructions over struct seccomp_data, the kernel's rules for which programs
// it accepts, a disassembler, and an interpreter.
//
// It is the ground the other packages stand on. It makes no system calls and
// knows nothing of profiles, architectures or containers, so a program made by
// any compiler, for any architecture, can be looked at and run on any machine.
package bpf
