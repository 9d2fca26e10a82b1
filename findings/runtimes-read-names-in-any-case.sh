#!/usr/bin/env bash
# runc takes a property of config.json by its name in any case; crun only as it
# is written in the runtime-spec.
#
# JSON names are case sensitive, and the runtime-spec has a runtime ignore what
# it does not know. runc reads with Go's encoding/json, which also takes a name
# that differs in case, and of two such the last. So "HOSTNAME" is nothing to
# crun and the container's host name to runc, and a tool that edits a
# configuration by exact names may leave something behind that runc reads.
#
# Needs root, Debian 12 on amd64, its archive, and a cgroup v2 hierarchy.
set -euo pipefail

packages=(
	runc=1.1.5+ds1-1+deb12u1 crun=1.8.1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 libyajl2=2.1.0-3+deb12u2
	busybox-static=1:1.35.0-4+deb12u1+b1
)
expected='runc: other
crun: exact'

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
	"process": {"cwd": "/", "args": ["/bin/busybox", "hostname"], "user": {"uid": 0, "gid": 0}},
	"root": {"path": "rootfs"},
	"hostname": "exact",
	"HOSTNAME": "other",
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
	"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "uts"}]}
}
EOF

seen="runc: $(packages/usr/sbin/runc --root "$tmp/state" run --bundle bundle finding-case </dev/null)
crun: $(unshare --mount --propagation private sh -euc '
	mount --types cgroup2 none /sys/fs/cgroup # crun takes no mixture of v1 and v2
	packages/usr/bin/crun --root state run --bundle bundle finding-case </dev/null
')"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
