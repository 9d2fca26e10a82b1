#!/usr/bin/env bash
# Puts crun's own tests into bin/tools/crun-tests: those of the source package of the
# crun that is installed, with the program that runs in their containers.
#
# usage: hack/crun-tests.sh
set -euo pipefail

cd "$(dirname "$0")/.."
out=$PWD/bin/tools/crun-tests
version=$(dpkg-query --show --showformat '${source:Version}' crun)
[ "$(cat "$out/version" 2>/dev/null)" != "$version" ] || exit 0

# shellcheck disable=SC2034 # what hack/apt.sh reads
arch=$(dpkg --print-architecture) store=$PWD/.build/source type=deb-src
# shellcheck source=hack/apt.sh
. hack/apt.sh
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
lists "$suite"
echo "unpack crun's tests, $version"
(cd "$work" && apt "$suite" apt-get source --download-only "crun=$version" && dpkg-source --no-check --extract crun_*.dsc tree) >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
rm -rf "$out"
mkdir -p "$out"
cp -r "$work/tree/tests" "$out/tests"
# Their configure(1) would write config.h; the program asks it for nothing that it needs.
touch "$work/config.h"
gcc -static -w -D_GNU_SOURCE -I "$work" -o "$out/tests/init" "$out/tests/init.c"
echo "$version" >"$out/version"
