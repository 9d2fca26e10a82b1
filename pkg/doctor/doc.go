// Package doctor looks at a host and says whether seccomp-hook can work on it:
// what the kernel offers, whether the real runtime, the files that belong
// together and the configuration are there, and which container engines are
// told to use it. Each finding is a line with what to do about it. Nothing on
// the host is changed.
package doctor
