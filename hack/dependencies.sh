#!/usr/bin/env bash
# Installs the Debian packages that a task needs and the machine lacks, and
# says which. It changes nothing where all are present.
#
# usage: hack/dependencies.sh demo|lint|machine|s390x|test
set -euo pipefail

# What hack/vm.sh needs, and to build what runs in its machines. Of compilers for
# 32 bits there is no gcc-multilib here: that package conflicts with those for
# other architectures.
machine=(cpio gcc gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-12-multilib libc6-dev libc6-dev-arm64-cross linux-libc-dev-arm64-cross pkg-config qemu-system-arm qemu-system-x86 qemu-user-static)
case "${1-}" in
demo) packages=(busybox-static gcc jq libc6-dev runc) ;;
lint) packages=(gcc gcc-aarch64-linux-gnu libc6-dev libseccomp-dev linux-libc-dev-arm64-cross pkg-config shellcheck) ;;
machine) packages=("${machine[@]}") ;;
s390x) packages=("${machine[@]}" qemu-system-misc) ;;
test)
	packages=(
		# Runtimes and engines, as the distribution has them.
		runc crun containerd docker.io podman uidmap
		# What containers are made of: the root filesystem, and the programs in it.
		busybox-static gcc gcc-12-multilib libc6-dev
		# cgo programs: runc, and the comparison with libseccomp.
		libseccomp-dev pkg-config
		# runc's own test suite, and crun's.
		bats gawk jq bsdutils xz-utils procps util-linux dpkg-dev python3
		# Looking at processes from outside, scripts, man pages, completions.
		strace shellcheck man-db zsh fish
		# Daemons that are filtered: by themselves, and by systemd.
		openssh-server systemd vsftpd
		# The other architecture: a machine of it, and what runs there.
		"${machine[@]}"
	)
	;;
*)
	echo "usage: $0 demo|lint|machine|s390x|test" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "$0: not a Debian system; it needs what these packages hold: ${packages[*]}" >&2
	exit 1
fi

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

echo "installing Debian packages: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: this takes root" >&2
	exit 1
fi

# An engine's package starts its daemon where it can. None is wanted: the tests
# start their own. invoke-rc.d(8) asks this file; the machine's own wins.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
fi

install_missing() {
	DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" </dev/null
}
# The lists may be absent, or name versions that the mirror has replaced.
if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ] || ! install_missing; then
	apt-get update --quiet
	install_missing
fi
