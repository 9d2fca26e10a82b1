#!/usr/bin/env bash
# A file that containerd 1.6's config.toml imports takes away what the node had set for
# the same plugin: a fragment that adds one runtime resets the pause image, and runc is
# no longer a runtime.
#
# The plugins' sections are merged by name, whole (services/server/config/config.go,
# mergeConfig): of two files that have [plugins."io.containerd.grpc.v1.cri"...] the last
# one's counts, and the rest of that plugin is default again. So it is in 1.7; from 2.0
# on sections are merged key by key. And a table of runtimes is a value of its own: one
# with a runtime of another name has no runc, which default_runtime_name still names.
# Whoever installs a runtime on nodes by a file in conf.d has to put it into the node's
# own file there.
#
# Needs Debian 12 on amd64 and its archive.
set -euo pipefail

packages=(containerd=1.6.20~ds1-1+deb12u3)
expected='config.toml alone: sandbox_image = "registry.example/pause:1"
config.toml alone: runtimes.runc
with an import: sandbox_image = "registry.k8s.io/pause:3.6"
with an import: runtimes.added
with an import: default_runtime_name = "runc"'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
packages/usr/bin/containerd --version

own='[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/pause:1"'
printf 'version = 2\n%s\n' "$own" >alone.toml
printf 'version = 2\nimports = ["%s/added.toml"]\n%s\n' "$tmp" "$own" >config.toml
cat >added.toml <<'EOF'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.added]
  runtime_type = "io.containerd.runc.v2"
EOF

# dump FILE WHAT... says what containerd makes of a configuration.
dump() {
	packages/usr/bin/containerd --config "$1" config dump | grep --only-matching --extended-regexp \
		"sandbox_image = .*|runtimes\.[a-z]+]|default_runtime_name = .*" | tr -d ']' | sed "s/^/$2: /"
}
seen="$(dump alone.toml 'config.toml alone' | grep -v default_runtime_name)
$(dump config.toml 'with an import' | sort -r)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
