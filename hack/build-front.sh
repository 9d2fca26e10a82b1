#!/usr/bin/env bash
# Builds the front, cmd/seccomp-runc, a C program without a C library, for
# GOARCH. Where it cannot be built, on other architectures and without a C
# compiler, the Go program takes its place, which does the same and takes longer
# to start.
#
# usage: [GOARCH=amd64|arm64] hack/build-front.sh OUTPUT [COMPILER-FLAG...]
set -euo pipefail

output=$1
shift
source=$(dirname "$0")/../cmd/seccomp-runc
flags=(
	-std=gnu11 -Os -Wall -Wextra -Werror
	# No C library: starting one takes longer than all that the program does.
	-ffreestanding -nostdlib -static -fno-pie -no-pie
	# What belongs to one, or to code that is unwound.
	-fno-stack-protector -fno-asynchronous-unwind-tables
	# One small file with few pages to map.
	"-Wl,-z,noseparate-code,--build-id=none,-s"
)

arch=$(go env GOARCH)
case $arch in
amd64)
	machine=x86_64-linux-gnu
	flags+=(-fcf-protection=none)
	;;
arm64)
	machine=aarch64-linux-gnu
	flags+=(-mbranch-protection=none)
	;;
*) machine=$arch ;;
esac

# Debian's compilers have the machine's name, its own one too; others' may not.
compiler=$machine-gcc
if ! command -v "$compiler" >/dev/null; then
	compiler=gcc
	if [[ $("$compiler" -dumpmachine 2>/dev/null || true) != "${machine%%-*}"-*linux* ]]; then
		echo "$output: no C compiler for $arch; it is a link to seccomp-hook"
		ln -sfn seccomp-hook "$output"
		exit 0
	fi
fi

# The program may be running, and a link is not to be written through.
draft=$(mktemp "$output.XXXXXX")
trap 'rm -f "$draft"' EXIT
"$compiler" "${flags[@]}" "$@" -o "$draft" "$source"/*.c
chmod 0755 "$draft"
mv -f "$draft" "$output"
