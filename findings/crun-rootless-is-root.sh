#!/usr/bin/env bash
# crun's --rootless VALUE is --root VALUE.
#
# runc's --rootless takes true, false or auto. crun takes the flag too, so that
# runc's command lines do not fail, but gives it the key of --root (crun.c,
# options), in versions 0.6 to 1.21; later ones ignore it. So
# `crun --root A --rootless B` keeps its containers in B, and whoever reads such
# a command line to find a container looks in another folder than crun does.
#
# Needs root, Debian 12 on amd64, and its archive.
set -euo pipefail

packages=(crun=1.8.1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 libyajl2=2.1.0-3+deb12u2)
expected="given-by-rootless"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
packages/usr/bin/crun --version | head -n 1

# It makes the folder that it keeps its containers in.
mkdir made
packages/usr/bin/crun --root made/given-by-root --rootless made/given-by-rootless list >/dev/null
seen=$(ls made)
echo "$seen"
[ "$seen" = "$expected" ] || { echo "expected: $expected"; exit 1; }
