#!/usr/bin/env bash
# runc 1.1 runs a createRuntime hook twice where the container has no mount
# namespace of its own, and once where it has one.
#
# The runtime-spec has such a hook called once, after the namespaces are there
# and before pivot_root. runc 1.1 (libcontainer/process_linux.go) calls it when
# the container's init asks for it, which every init does, and again when init
# is ready, if the container has no mount namespace. A hook that registers,
# counts or allocates something for a container must bear that.
#
# Needs root, Debian 12 on amd64, and its archive.
set -euo pipefail

packages=(runc=1.1.5+ds1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 busybox-static=1:1.35.0-4+deb12u1+b1)
expected='with a mount namespace: 1
without one: 2'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
# A container without a mount namespace of its own leaves mounts where it ran.
runc() { unshare --mount --propagation private packages/usr/sbin/runc --root "$tmp/state" "$@"; }
runc --version | head -n 1

mkdir -p bundle/rootfs/{bin,proc}
cp packages/bin/busybox bundle/rootfs/bin/
cat >hook <<-EOF
	#!/bin/sh
	cat >/dev/null
	echo called >>$tmp/calls
EOF
chmod +x hook

# count NAMESPACES prints how often the hook is called.
count() {
	rm -f calls
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.0.2",
			"process": {"cwd": "/", "args": ["/bin/busybox", "true"], "user": {"uid": 0, "gid": 0}},
			"root": {"path": "rootfs"},
			"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
			"linux": {"namespaces": [$1]},
			"hooks": {"createRuntime": [{"path": "$tmp/hook"}]}
		}
	EOF
	runc run --bundle bundle finding-hooks </dev/null
	wc -l <calls
}

seen="with a mount namespace: $(count '{"type": "pid"}, {"type": "mount"}')
without one: $(count '{"type": "pid"}')"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
