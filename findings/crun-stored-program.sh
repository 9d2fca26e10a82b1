#!/usr/bin/env bash
# crun keeps a container's seccomp program in its state and gives it to every
# exec, and takes it ready made from an annotation; runc compiles linux.seccomp
# for each exec, and does not know the annotation.
#
# So an exec under crun costs no compilation, and a container's filter stays
# what it was when it was created. crun(1) heads the annotation
# "run.oci.seccomp_bpf_data=PATH". It is no path but the program itself, raw
# struct sock_filter in base64, and it takes the place of linux.seccomp also
# where that says something else. The same config.json thus has two filters,
# one under each runtime. The program is in the file seccomp.bpf of the
# container's state folder, byte for byte.
#
# Needs root, Debian 12 on amd64, its archive, and a cgroup v2 hierarchy.
set -euo pipefail

packages=(
	runc=1.1.5+ds1-1+deb12u1 crun=1.8.1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 libyajl2=2.1.0-3+deb12u2
	busybox-static=1:1.35.0-4+deb12u1+b1
)
# Of the profile's and the program's errno for mkdir(2), 28 and 18.
expected="runc, first process: mkdir: can't create directory 'x': No space left on device
runc, exec: mkdir: can't create directory 'x': No space left on device
crun, first process: mkdir: can't create directory 'x': Invalid cross-device link
crun, exec: mkdir: can't create directory 'x': Invalid cross-device link
crun's state has the program"

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

# a = nr; if a == 83 (mkdir) return ERRNO(18); return ALLOW
printf '\x20\0\0\0\0\0\0\0\x15\0\0\x01\x53\0\0\0\x06\0\0\0\x12\0\x05\0\x06\0\0\0\0\0\xff\x7f' >program

mkdir -p bundle/rootfs/{bin,proc}
cp packages/bin/busybox bundle/rootfs/bin/
cat >bundle/config.json <<EOF
{
	"ociVersion": "1.0.2",
	"annotations": {"run.oci.seccomp_bpf_data": "$(base64 --wrap 0 program)"},
	"process": {
		"cwd": "/", "args": ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir x; /bin/busybox sleep 60"], "user": {"uid": 0, "gid": 0}
	},
	"root": {"path": "rootfs"},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
	"linux": {
		"namespaces": [{"type": "pid"}, {"type": "mount"}],
		"seccomp": {
			"defaultAction": "SCMP_ACT_ALLOW",
			"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]
		}
	}
}
EOF

# observe NAME RUNTIME prints what the container's first process and an exec say.
observe() {
	local runtime=("packages/usr/$2" --root "$tmp/state")
	"${runtime[@]}" run --detach --bundle bundle finding-program </dev/null >/dev/null 2>first
	timeout 10 sh -c 'until [ -s first ]; do sleep 0.01; done'
	echo "$1, first process: $(cat first)"
	echo "$1, exec: $("${runtime[@]}" exec finding-program /bin/busybox mkdir x 2>&1)"
	if [ "$1" = crun ] && cmp --quiet program state/finding-program/seccomp.bpf; then
		echo "crun's state has the program"
	fi
	"${runtime[@]}" delete --force finding-program
}

seen="$(observe runc sbin/runc)
$(unshare --mount --propagation private bash -euc "
	mount --types cgroup2 none /sys/fs/cgroup # crun takes no mixture of v1 and v2
	$(declare -p tmp)
	$(declare -f observe)
	observe crun bin/crun
")"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
