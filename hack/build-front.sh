#!/usr/bin/env bash
# Builds the front, cmd/seccomp-runc, a C program without a C library. Where it
# cannot be built, on other architectures and without a C compiler, the Go
# program takes its place, which does the same and takes longer to start.
#
# usage: hack/build-front.sh OUTPUT [COMPILER-FLAG...]
set -euo pipefail

output=$1
shift
source=$(dirname "$0")/../cmd/seccomp-runc

if [ "$(go env GOARCH)" != amd64 ] || ! command -v gcc >/dev/null; then
	echo "$output: no C compiler for x86_64; it is a link to seccomp-hook"
	ln -sfn seccomp-hook "$output"
	exit 0
fi

flags=(
	-std=gnu11 -Os -Wall -Wextra -Werror
	# No C library: starting one takes longer than all that the program does.
	-ffreestanding -nostdlib -static -fno-pie -no-pie
	# What belongs to one, or to code that is unwound.
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables
	# One small file with few pages to map.
	"-Wl,-z,noseparate-code,--build-id=none,-s"
)
# The program may be running, and a link is not to be written through.
draft=$(mktemp "$output.XXXXXX")
trap 'rm -f "$draft"' EXIT
gcc "${flags[@]}" "$@" -o "$draft" "$source"/*.c
chmod 0755 "$draft"
mv -f "$draft" "$output"
