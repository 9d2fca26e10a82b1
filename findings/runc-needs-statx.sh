#!/usr/bin/env bash
# runc 1.5 starts no container whose profile denies statx(2), whatever its program
# calls. runc 1.1 starts them.
#
# With the filter loaded runc's init goes on: it sets the user, closes descriptors, and
# executes the program. On the way it reaches /proc by a library that asks for the
# number of each mount (filepath-securejoin, pathrs-lite: statx(2) with STATX_MNT_ID)
# and gives up without an answer. With noNewPrivileges the filter is loaded at the very
# end, and that is still not late enough. Profiles that are older than the call do not
# name it, among them the one that the OCI's own generator writes (runtime-tools 0.9.0,
# `oci-runtime-tool generate`).
#
# Needs root, Debian 12 on amd64 and its archive, Go and its modules, gcc, pkg-config,
# and libseccomp's headers.
set -euo pipefail

packages=(runc=1.1.5+ds1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 busybox-static=1:1.35.0-4+deb12u1+b1)
version=v1.5.2
expected='runc 1.1, statx denied: starts
runc 1.1, statx denied, noNewPrivileges: starts
runc 1.5, sysfs denied: starts
runc 1.5, statx denied: does not start
runc 1.5, statx denied, noNewPrivileges: does not start'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
GOFLAGS=-buildvcs=false GOBIN=$tmp CGO_ENABLED=1 go install -tags seccomp "github.com/opencontainers/runc@$version"
packages/usr/sbin/runc --version | head -n 1
echo "runc $version, Linux $(uname -r)"

mkdir -p bundle/rootfs/{bin,dev,proc}
cp packages/bin/busybox bundle/rootfs/bin/

# start RUNC CALL NNP says what becomes of a container whose profile denies a call.
start() {
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.0.2",
			"process": {
				"cwd": "/", "args": ["/bin/busybox", "echo", "starts"],
				"user": {"uid": 0, "gid": 0}, "noNewPrivileges": $3
			},
			"root": {"path": "rootfs"},
			"mounts": [
				{"destination": "/proc", "type": "proc", "source": "proc"},
				{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}
			],
			"linux": {
				"namespaces": [{"type": "pid"}, {"type": "mount"}],
				"seccomp": {
					"defaultAction": "SCMP_ACT_ALLOW",
					"syscalls": [{"names": ["$2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
				}
			}
		}
	EOF
	if "$1" --root "$tmp/state" run --bundle bundle finding-statx </dev/null >output 2>&1; then
		cat output
	else
		echo 'does not start'
	fi
}

old=packages/usr/sbin/runc
seen="runc 1.1, statx denied: $(start "$old" statx false)
runc 1.1, statx denied, noNewPrivileges: $(start "$old" statx true)
runc 1.5, sysfs denied: $(start ./runc sysfs false)
runc 1.5, statx denied: $(start ./runc statx false)
runc 1.5, statx denied, noNewPrivileges: $(start ./runc statx true)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
