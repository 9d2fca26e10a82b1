#!/usr/bin/env bash
# Podman gives a runtime `--log` and `--log-format=json` if it knows the name
# under which containers.conf lists it. The same program under another name gets
# neither, and what it would write to its log is lost.
#
# The list of names is `runtime_supports_json` of containers.conf, whose default
# has crun and runc. It is compared with the name in [engine.runtimes], not with
# the program, its path or what its --version says (libpod/oci_conmon_linux.go).
# So a runtime that stands in front of runc can tell errors, on stderr, and no
# warnings, until the administrator adds its name.
#
# Needs root, Debian 12 on amd64, and its archive.
set -euo pipefail

packages=(
	podman=4.3.1+ds1-8+deb12u1+b3 conmon=2.1.6+ds1-1 libgpgme11=1.18.0-3+deb12u1 libassuan0=2.5.5-5
	libgpg-error0=1.46-1 libsubid4=1:4.13+dfsg1-1+deb12u2 libdevmapper1.02.1=2:1.02.185-2
	libseccomp2=2.5.4-1+deb12u1 libglib2.0-0=2.74.6-2+deb12u9
)
expected='crun: --log-format=json --log FILE create
front: create
front, listed: --log-format=json --log FILE create'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu:$tmp/packages/lib/x86_64-linux-gnu
packages/usr/bin/podman --version
packages/usr/bin/conmon --version | head -n 1

# A runtime that writes down how it is called, and creates nothing.
cat >runtime <<-EOF
	#!/bin/sh
	echo "\$@" >>$tmp/calls
	exit 1
EOF
chmod +x runtime
mkdir rootfs

# observe NAME [SETTING] prints how the runtime is called for `podman run`, if it
# is listed by that name, up to the command.
observe() {
	cat >containers.conf <<-EOF
		[engine]
		conmon_path = ["$tmp/packages/usr/bin/conmon"]
		${2:-}
		[engine.runtimes]
		$1 = ["$tmp/runtime"]
	EOF
	rm -f calls
	CONTAINERS_CONF=$tmp/containers.conf packages/usr/bin/podman --root "$tmp/root" --runroot "$tmp/run" --tmpdir "$tmp/tmp" \
		--cgroup-manager cgroupfs --events-backend none --storage-driver vfs --runtime "$1" \
		run --network none --rootfs "$tmp/rootfs" /bin/true >log 2>&1 || true # the runtime fails
	sed -n 's/^\(.*create\) .*/\1/; s/--log [^ ]*/--log FILE/; s/create.*/create/p' calls || cat log
}

seen="crun: $(observe crun)
front: $(observe front)
front, listed: $(observe front 'runtime_supports_json = ["front"]')"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
