// Package arch knows the architectures that a seccomp profile can name: their
// names in OCI, in libseccomp and on the command line, their AUDIT_ARCH_*
// token, byte order and word size, and their system call tables.
//
// The tables are generated (go generate) from golang.org/x/sys/unix, so a
// static binary knows the newest calls whatever the distribution's libseccomp
// knows.
package arch
