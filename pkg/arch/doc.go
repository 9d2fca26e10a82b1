// Package arch knows the architectures that a seccomp profile can name: their
// names in OCI, in libseccomp and on the command line, their AUDIT_ARCH_*
// token, byte order and word size, and their system call tables, the calls
// behind socketcall(2) and ipc(2) included.
//
// The tables are generated (go generate) from golang.org/x/sys/unix, and from a
// small table of the kernel's numbers for the architectures that x/sys does not
// have, so a static binary knows the newest calls whatever the distribution's
// libseccomp knows. They are constant data: importing them costs nothing at
// start-up.
package arch
