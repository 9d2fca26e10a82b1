#!/usr/bin/env bash
# crun starts no container whose profile has a listenerPath without an agent behind it,
# though no rule of it is SCMP_ACT_NOTIFY. runc starts it, and asks no agent.
#
# The runtime-spec says what listenerPath is for, not when it is used: "the path of the
# socket over which the runtime will send the file descriptors". runc asks for a
# listener where a rule notifies (libcontainer, seccomp/patchbpf), crun wherever there is
# a path (crun, container.c, get_seccomp_receiver_fd; seccomp.c,
# SECCOMP_FILTER_FLAG_NEW_LISTENER), and hands it to the agent. So the same profile
# needs an agent under one of them only, and one that waits for a container's listener
# waits for ever under the other.
#
# Needs root, Debian 12 on amd64, and its archive.
set -euo pipefail

packages=(
	runc=1.1.5+ds1-1+deb12u1 crun=1.8.1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 libyajl2=2.1.0-3+deb12u2
	busybox-static=1:1.35.0-4+deb12u1+b1
)
expected='runc: starts
crun: open seccomp receiver'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
packages/usr/sbin/runc --version | head -n 1
packages/usr/bin/crun --version | head -n 1

mkdir -p bundle/rootfs/{bin,proc}
cp packages/bin/busybox bundle/rootfs/bin/
cat >bundle/config.json <<EOF
{
	"ociVersion": "1.0.2",
	"process": {"cwd": "/", "args": ["/bin/busybox", "echo", "starts"], "user": {"uid": 0, "gid": 0}},
	"root": {"path": "rootfs"},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
	"linux": {
		"namespaces": [{"type": "pid"}, {"type": "mount"}],
		"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "$tmp/no-agent"}
	}
}
EOF

# start COMMAND... says what becomes of the container.
start() {
	"$@" --root "$tmp/state" run --bundle bundle finding-listener </dev/null >output 2>&1 || true
	grep --only-matching 'starts\|open seccomp receiver' output | head -n 1 || cat output
}

seen="runc: $(start packages/usr/sbin/runc)
crun: $(start packages/usr/bin/crun --cgroup-manager=disabled)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
