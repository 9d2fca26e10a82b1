// Package warm fills the store ahead of the containers, so that none of them waits
// for a compilation and its proof.
//
// What a start looks up is linux.seccomp as its engine wrote it, byte for byte. So a
// profile becomes first what containerd, CRI-O, Docker and Podman write of it into
// config.json (Written), and then goes the way that a start goes: through
// hook.Decide, and, for seccomp-runc and the shim, through runtime.MakeReady.
package warm
