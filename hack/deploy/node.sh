#!/bin/sh
# Puts the shim on a node and takes it away again; busybox is enough to run it.
#
# usage: node.sh install|remove|run
#
# run installs, waits to be ended, and removes. HOST is where the node's root is
# mounted (default /). With DEFAULT=yes the shim is the runtime of every pod. The
# node's own configuration is extended and restored, not replaced.
set -eu

from=$(cd "$(dirname "$0")" && pwd)
# Of a package that is unpacked in the source tree, the binaries are in bin.
binaries=$from
[ -x "$binaries/seccomp-hook" ] || binaries=$from/../../bin
host=${HOST:-}
bin=$host/usr/local/bin
etc=$host/etc/containerd
mark='# seccomp-hook'

# What is installed, after that which it starts. The announcer is for x86_64 alone.
programs='seccomp-hook seccomp-hook-announce seccomp-hook-runtime seccomp-runc containerd-shim-seccomp-v2'

# place NAME: a new file by rename(2), as the old one may be running. Where there
# was no C compiler seccomp-runc is a link.
place() {
	rm -f "$bin/.$1.new"
	cp -P "$binaries/$1" "$bin/.$1.new"
	[ -L "$bin/.$1.new" ] || chmod 0755 "$bin/.$1.new"
	mv -f "$bin/.$1.new" "$bin/$1"
}

# own FILE PLUGIN: writes that file.
own() {
	cp "$1" "$etc/conf.d/seccomp-hook.toml"
	[ "${DEFAULT:-}" = yes ] || return 0
	printf '\n[plugins."%s".containerd]\n  default_runtime_name = "seccomp"\n' "$2" >>"$etc/conf.d/seccomp-hook.toml"
}

# configure: a file of our own that the node's configuration imports.
configure() {
	mkdir -p "$etc/conf.d"
	if [ ! -e "$etc/config.toml" ]; then
		printf 'version = 3 %s\n' "$mark" >"$etc/config.toml"
	fi
	# An imported file must have the version of the one that imports it, where
	# containerd is older than 2.3.
	case $(sed -n 's/^version *= *\([0-9]*\).*/\1/p' "$etc/config.toml") in
	2) own "$from/containerd-1.toml" io.containerd.grpc.v1.cri ;;
	3 | 4) own "$from/containerd.toml" io.containerd.cri.v1.runtime ;;
	*)
		echo "$0: /etc/containerd/config.toml: no version of 2 to 4" >&2
		return 1
		;;
	esac
	if grep -q '^imports' "$etc/config.toml"; then
		grep -q '^imports.*/etc/containerd/conf\.d/\*\.toml' "$etc/config.toml" || {
			echo "$0: /etc/containerd/config.toml: imports must name /etc/containerd/conf.d/*.toml" >&2
			return 1
		}
	else
		sed "1i imports = ['/etc/containerd/conf.d/*.toml'] $mark" "$etc/config.toml" >"$etc/.config.toml.new"
		mv -f "$etc/.config.toml.new" "$etc/config.toml"
	fi
}

install() {
	mkdir -p "$bin"
	for program in $programs; do
		if [ "$program" != seccomp-hook-announce ] || [ -e "$binaries/$program" ]; then
			place "$program"
		fi
	done
	configure
}

remove() {
	rm -f "$etc/conf.d/seccomp-hook.toml"
	if [ -e "$etc/config.toml" ]; then
		sed "/ $mark\$/d" "$etc/config.toml" >"$etc/.config.toml.new"
		mv -f "$etc/.config.toml.new" "$etc/config.toml"
		[ -s "$etc/config.toml" ] || rm -f "$etc/config.toml"
	fi
	rmdir "$etc/conf.d" 2>/dev/null || true # others' files may be there
	# The front first: without it the shim has the runtime delete containers.
	rm -f "$bin/seccomp-runc"
	for program in $programs; do
		rm -f "$bin/$program"
	done
}

# restart: containerd reads its configuration when it starts. Containers live
# on meanwhile.
restart() {
	nsenter -t 1 -m -- systemctl restart containerd
}

# warm fills the store of filters, as the node sees it: no start waits for a
# compilation then. Without it each does what is missing.
warm() {
	nsenter -t 1 -m -- /usr/local/bin/seccomp-hook warm --quiet || true
}

case ${1-} in
install) install ;;
remove) remove ;;
run)
	trap 'remove; restart; exit 0' TERM INT
	install
	warm
	restart
	sleep infinity &
	wait
	;;
*)
	echo "usage: $0 install|remove|run" >&2
	exit 2
	;;
esac
