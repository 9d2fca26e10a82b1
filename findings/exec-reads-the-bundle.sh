#!/usr/bin/env bash
# `runc exec` takes environment, working directory and user from the bundle's
# config.json as it is at that moment; `crun exec` from the copy that it made
# when it created the container.
#
# runc's state has the container's configuration, and exec takes namespaces,
# mounts and the seccomp filter from there. But the process that is to be
# executed starts as `process` of <bundle>/config.json, read anew
# (exec.go, getProcess). So the two halves of one exec can be of different
# ages, and who edits a bundle of a running container changes later execs of it
# under one runtime and not under the other.
#
# Needs root, Debian 12 on amd64, its archive, and a cgroup v2 hierarchy.
set -euo pipefail

packages=(
	runc=1.1.5+ds1-1+deb12u1 crun=1.8.1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 libyajl2=2.1.0-3+deb12u2
	busybox-static=1:1.35.0-4+deb12u1+b1
)
expected='runc: AGE=new in /tmp as 1000
crun: AGE=old in / as 0'

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

mkdir -p bundle/rootfs/{bin,proc,tmp}
cp packages/bin/busybox bundle/rootfs/bin/

# config AGE CWD UID writes config.json.
config() {
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.0.2",
			"process": {
				"cwd": "$2", "args": ["/bin/busybox", "sleep", "60"], "env": ["AGE=$1"], "user": {"uid": $3, "gid": 0}
			},
			"root": {"path": "rootfs"},
			"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
			"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
		}
	EOF
}

# observe RUNTIME prints what a process sees that is executed after the bundle's
# config.json was changed.
observe() {
	local runtime=("packages/usr/$1" --root "$tmp/state")
	config old / 0
	"${runtime[@]}" run --detach --bundle bundle finding-exec </dev/null >/dev/null 2>&1
	config new /tmp 1000
	# shellcheck disable=SC2016 # for the shell in the container
	"${runtime[@]}" exec finding-exec /bin/busybox sh -c 'echo "AGE=$AGE in $(/bin/busybox pwd) as $(/bin/busybox id -u)"'
	"${runtime[@]}" delete --force finding-exec
}

seen="runc: $(observe sbin/runc)
crun: $(unshare --mount --propagation private bash -euc "
	mount --types cgroup2 none /sys/fs/cgroup # crun takes no mixture of v1 and v2
	$(declare -p tmp)
	$(declare -f config observe)
	observe bin/crun
")"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
