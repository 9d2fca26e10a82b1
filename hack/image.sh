#!/usr/bin/env bash
# Builds the image of the DaemonSet's installer, for amd64 and arm64, without an
# engine and without a registry: OUTPUT is an OCI image layout, OUTPUT.tar the same
# as an archive. It prints the image's digest. The same sources, compilers and
# SOURCE_DATE_EPOCH (the commit's time, unless it is set) give the same bytes.
#
# In it are the programs that `make build` makes, node.sh with its files, and
# Debian's static busybox, of which node.sh is a script.
#
# usage: hack/image.sh OUTPUT NAME VERSION
set -euo pipefail

if [ $# -ne 3 ]; then
	sed -n '/^# usage/,/^[^#]/s/^# \?//p' "$0" >&2
	exit 2
fi
output=$(realpath -m "$1")
cd "$(dirname "$0")/.."

# One version, as the image's bytes are to be those of the sources. Debian takes a
# version away when it has a newer one: then it goes here.
busybox=1:1.35.0-4+deb12u1+b1

# What node.sh calls, and the DaemonSet's probe.
applets='chmod cp dirname grep mkdir mv nsenter rm rmdir sed sh sleep test'

# shellcheck source=hack/apt.sh
. hack/apt.sh

# place_busybox ROOT: unpacks busybox of the architecture, with its license.
place_busybox() {
	local deb
	store=.build/image/debian/$arch
	mkdir -p "$store"
	store=$(realpath "$store") # apt's paths are its own
	deb=$store/busybox-static_${busybox/:/%3a}_$arch.deb
	if [ ! -e "$deb" ]; then
		rm -f "$store/bookworm/updated" # a mirror has what it has now
		lists bookworm
		(cd "$store" && apt bookworm apt-get download "busybox-static=$busybox")
	fi
	dpkg --extract "$deb" "$store/files"
	mkdir -p "$1/bin" "$1/usr/share/doc/busybox-static"
	cp "$store/files/bin/busybox" "$1/bin/"
	cp "$store/files/usr/share/doc/busybox-static/copyright" "$1/usr/share/doc/busybox-static/"
	for applet in $applets; do
		ln -s busybox "$1/bin/$applet"
	done
}

folders=()
for arch in amd64 arm64; do
	root=$PWD/.build/image/$arch
	rm -rf "$root"
	mkdir -p "$root/opt/seccomp-hook" "$root/usr/share/doc/seccomp-hook"
	place_busybox "$root" >&2
	GOARCH=$arch make --no-print-directory build BIN="$root/opt/seccomp-hook/" >&2
	cp hack/deploy/{node.sh,containerd.toml,containerd-1.toml} "$root/opt/seccomp-hook/"
	cp LICENSE "$root/usr/share/doc/seccomp-hook/copyright"
	folders+=("$arch=$root")
done

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
GOOS='' GOARCH='' go -C hack/image run . -output "$output" -name "$2" -version "$3" "${folders[@]}"
