#!/bin/sh
# Puts the shim on a node and takes it away again; busybox is enough to run it.
#
# usage: node.sh install|remove|run
#
# run installs, waits to be ended, and removes, if no container runs under the shim.
# HOST is where the node's root is mounted (default /). With DEFAULT=yes the shim is the
# runtime of every pod. The node's own configuration is extended and restored, not
# replaced.
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

# ours FILE: the shim's tables, with the cgroups that the node's own runtimes have,
# which are those that the kubelet works with.
ours() {
	if grep -hq '^[^#]*SystemdCgroup *= *true' "$etc/config.toml" "$etc"/conf.d/*.toml 2>/dev/null; then
		sed '' "$1"
	else
		sed 's/SystemdCgroup = true/SystemdCgroup = false/' "$1"
	fi
}

# restore prints the node's own configuration: lines that end with the mark are
# ours, and those that begin with it are the node's.
restore() {
	sed -e "/ $mark\$/d" -e "s/^$mark //" "$etc/config.toml"
}

# imports: the node's configuration is more than one file.
imports() {
	grep '^imports' "$etc/config.toml" | grep -qv '^imports *= *\[ *\]'
}

# beside configures in a file of our own, which the node's imports.
beside() {
	if ! imports; then
		sed -e "s/^imports/$mark &/" -e "1i imports = ['/etc/containerd/conf.d/*.toml'] $mark" "$etc/config.toml" >"$etc/.config.toml.new"
		mv -f "$etc/.config.toml.new" "$etc/config.toml"
	elif ! grep -q '^imports.*/etc/containerd/conf\.d/\*\.toml' "$etc/config.toml"; then
		echo "$0: /etc/containerd/config.toml: imports must name /etc/containerd/conf.d/*.toml" >&2
		return 1
	fi
	mkdir -p "$etc/conf.d"
	{
		ours "$from/containerd.toml"
		[ "${DEFAULT:-}" != yes ] ||
			printf '\n%s\n' '[plugins."io.containerd.cri.v1.runtime".containerd]' '  default_runtime_name = "seccomp"'
	} >"$etc/conf.d/seccomp-hook.toml"
}

# within configures in config.toml itself. containerd 1.6 and 1.7 take the whole of a
# plugin's configuration from the last file that has some (services/server/config,
# mergeConfig): with an import the node's own would be gone. And where the file names a
# runtime, runc is no longer there by itself.
within() {
	if imports; then
		echo "$0: /etc/containerd/config.toml imports others: add containerd-1.toml to the one that has the plugin cri" >&2
		return 1
	fi
	table="^ *\[plugins\.[\"']io\.containerd\.grpc\.v1\.cri[\"']\.containerd\]"
	{
		if [ "${DEFAULT:-}" = yes ]; then
			sed -e "s/^ *default_runtime_name *=/$mark &/" -e "/$table/a default_runtime_name = \"seccomp\" $mark" "$etc/config.toml"
			grep -q "$table" "$etc/config.toml" ||
				printf "%s $mark\n" '[plugins."io.containerd.grpc.v1.cri".containerd]' 'default_runtime_name = "seccomp"'
		else
			grep '' "$etc/config.toml" # ends the last line
		fi
		grep -q '^ *\[.*\.containerd\.runtimes\.runc\]' "$etc/config.toml" ||
			printf "%s $mark\n" '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]' 'runtime_type = "io.containerd.runc.v2"'
		ours "$from/containerd-1.toml" | sed -n "/^ *[[a-zA-Z]/{/^version/!s/\$/ $mark/p}"
	} >"$etc/.config.toml.new"
	mv -f "$etc/.config.toml.new" "$etc/config.toml"
}

# configure is to be told to containerd by a restart.
configure() {
	mkdir -p "$etc"
	rm -f "$etc/conf.d/seccomp-hook.toml"
	if [ -e "$etc/config.toml" ]; then
		restore >"$etc/.config.toml.new"
		mv -f "$etc/.config.toml.new" "$etc/config.toml"
	fi
	# Every containerd reads version 2.
	[ -s "$etc/config.toml" ] || printf 'version = 2 %s\n' "$mark" >"$etc/config.toml"
	case $(sed -n 's/^version *= *\([0-9]*\).*/\1/p' "$etc/config.toml") in
	2) within ;;
	3 | 4) beside ;; # an import has the version of the file, where containerd is older than 2.3
	*)
		echo "$0: /etc/containerd/config.toml: no version of 2 to 4" >&2
		return 1
		;;
	esac
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
		restore >"$etc/.config.toml.new"
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

# leave removes, but what containers need that run under the shim. Without its file a
# containerd that starts does not ask for the shims that run (core/runtime/v2, loadShim):
# it forgets their containers, and the kubelet starts others beside them. And for an exec
# it looks the sandbox's runtime up in its configuration.
leave() {
	if grep -qs '[c]ontainerd-shim-seccomp-v2' /proc/[0-9]*/cmdline; then
		echo "$0: containers run under the shim: it stays, but is the runtime of those alone that ask for it" >&2
		DEFAULT=
		configure
	else
		remove
	fi
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
	trap 'leave; restart; exit 0' TERM INT
	install
	warm
	restart
	: >/dev/ready # what the pod's probe asks for; that folder is the container's own
	sleep infinity &
	wait
	;;
*)
	echo "usage: $0 install|remove|run" >&2
	exit 2
	;;
esac
