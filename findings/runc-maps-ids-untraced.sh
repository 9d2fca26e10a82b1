#!/usr/bin/env bash
# runc starts no container with id-mapped mounts where a tracer follows it, as
# `strace -f` does: "operation not permitted".
#
# To map a mount's ids runc needs a user namespace, and makes one by a child that
# it traces itself until it has the namespace's descriptor (runc,
# internal/userns/usernsfd_linux.go, spawnProc: PTRACE_TRACEME). A process has
# one tracer, and a child of a traced process has it from its first moment. The
# same container without the mapping starts under the same strace. A debugger, a
# recorder of system calls, and whatever else follows a runtime by ptrace(2)
# meets this with the pods that have `hostUsers: false` and a volume.
#
# Needs root, Debian 12 on amd64 and its archive, Go and its modules, and gcc.
set -euo pipefail

packages=(strace=6.1-0.1 libunwind8=1.6.2-3 busybox-static=1:1.35.0-4+deb12u1+b1)
version=v1.5.2
expected='alone, mapped: starts
under strace, as it is: starts
under strace, mapped: operation not permitted'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
GOFLAGS=-buildvcs=false GOBIN=$tmp CGO_ENABLED=1 go install "github.com/opencontainers/runc@$version"
echo "runc $version, $(packages/usr/bin/strace --version | head -n 1), Linux $(uname -r)"

mkdir -p bundle/rootfs/{bin,dev,proc,data} data
cp packages/bin/busybox bundle/rootfs/bin/
ids='[{"containerID": 0, "hostID": 100000, "size": 1000}]'

# start MAPPINGS COMMAND... says what becomes of a container with a mount.
start() {
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.2.0",
			"process": {"cwd": "/", "args": ["/bin/busybox", "echo", "starts"], "user": {"uid": 0, "gid": 0}},
			"root": {"path": "rootfs"},
			"mounts": [
				{"destination": "/proc", "type": "proc", "source": "proc"},
				{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
				{"destination": "/data", "type": "bind", "source": "$tmp/data", "options": ["bind"]$1}
			],
			"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
		}
	EOF
	"${@:2}" ./runc --root "$tmp/state" run --bundle bundle finding-ids </dev/null >output 2>&1 || true
	grep --only-matching 'starts\|operation not permitted' output | head -n 1
}

mapped=", \"uidMappings\": $ids, \"gidMappings\": $ids"
traced=(packages/usr/bin/strace --follow-forks --output=/dev/null)
seen="alone, mapped: $(start "$mapped" env)
under strace, as it is: $(start '' "${traced[@]}")
under strace, mapped: $(start "$mapped" "${traced[@]}")"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
