// Package spec says what a profile means. It reads a seccomp profile in any of
// the forms in use (an OCI config.json, a bare linux.seccomp object, a
// Docker-format file, a builtin) and resolves it to a Policy: for every
// architecture token and every one of the 2^32 call numbers, what the call
// gets. Names, capabilities, architectures, the habits of runc and libseccomp
// and runc's -ENOSYS stub are all settled here, so the packages that use a
// Policy need to know none of them.
package spec
