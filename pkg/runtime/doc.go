// Package runtime is the OCI runtime that stands in front of runc or crun, so
// that every process of a container has its filter, the ones that exec starts
// included, and the runtime compiles none itself.
//
// create and run take linux.seccomp out of what the runtime reads and put the
// hook and the annotations in; exec starts the runtime with the container's
// filter attached but dormant, and lets it go live at the first instruction of
// the exec'd program; every other command is the real runtime's, by execve,
// with the same arguments. The package never stays in between: in every case
// the calling process becomes the real runtime, so exit codes, signals,
// terminals and inherited file descriptors are the real runtime's own.
package runtime
