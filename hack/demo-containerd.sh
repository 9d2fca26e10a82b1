#!/usr/bin/env bash
# Starts a containerd of its own below a temporary folder, runs a container and
# an exec under the shim with containerd's default profile, and shows what they
# saw, what is known of their filter, and what starting costs. Nothing but the
# store of compiled filters is left behind.
set -euo pipefail

cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: making a container takes root" >&2
	exit 1
fi

dir=$(mktemp -d)
namespace=seccomp-hook-demo-$$
shim=io.containerd.seccomp.v2
bin=$PWD/bin
ctr=("$bin/tools/ctr" --address "$dir/s" --namespace "$namespace")
daemon=

cleanup() {
	if [ -n "$daemon" ]; then
		for id in $("${ctr[@]}" containers list --quiet 2>/dev/null); do
			"${ctr[@]}" tasks delete --force "$id" >/dev/null 2>&1 || true
			"${ctr[@]}" containers delete "$id" >/dev/null 2>&1 || true
		done
		kill "$daemon"
		wait "$daemon" 2>/dev/null || true
	fi
	# A namespace's cgroup and folder, which nothing else takes away.
	find /sys/fs/cgroup -maxdepth 2 -name "$namespace" -type d -exec rmdir {} + 2>/dev/null || true
	rmdir "/run/containerd/runc/$namespace" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

title() { printf '\n== %s\n' "$*"; }

cat >"$dir/config.toml" <<END
version = 3
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = "$dir/s"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/opt"
END
mkdir -p "$dir"/rootfs/{bin,dev,proc,sys}
cp /bin/busybox "$dir/rootfs/bin/"
for applet in sh grep unshare true sleep; do
	ln -s busybox "$dir/rootfs/bin/$applet"
done

# containerd finds shims and runtimes on its PATH; the shim finds seccomp-runc
# beside itself.
PATH=$bin:$bin/tools:$PATH "$bin/tools/containerd" --config "$dir/config.toml" >"$dir/log" 2>&1 &
daemon=$!
until "${ctr[@]}" version >/dev/null 2>&1; do
	if ! kill -0 "$daemon" 2>/dev/null; then
		cat "$dir/log" >&2
		exit 1
	fi
	sleep 0.1
done

# What a process does: it looks at itself, and makes a call that containerd's
# profile denies to a container without CAP_SYS_ADMIN.
# shellcheck disable=SC2016 # for the container's shell
look='grep -E "^(NoNewPrivs|Seccomp|Seccomp_filters):" /proc/self/status
if unshare -U true; then echo "unshare(CLONE_NEWUSER): succeeded"; fi'

run() { # RUNTIME ID FLAG...: a container that sleeps
	local runtime=$1 id=$2
	shift 2
	"${ctr[@]}" run --detach --null-io --runtime "$runtime" "$@" --rootfs "$dir/rootfs" "$id" /bin/sleep 1000 2>/dev/null
}

title "ctr run --runtime $shim --seccomp: the container sees"
"${ctr[@]}" run --rm --runtime "$shim" --seccomp --rootfs "$dir/rootfs" "$namespace-run" /bin/sh -c "$look" 2>&1 | tee "$dir/seen" | grep -v DEPRECATION
run "$shim" "$namespace" --seccomp
title "ctr tasks exec: the exec'd process sees"
"${ctr[@]}" tasks exec --exec-id look "$namespace" /bin/sh -c "$look" 2>&1 | tee -a "$dir/seen" | grep -v DEPRECATION

title "annotations (runc state)"
"$bin/tools/runc" --root "/run/containerd/runc/$namespace" state "$namespace" >"$dir/state.json"
jq '.annotations | with_entries(select(.key | startswith("io.seccomp-hook.")))' "$dir/state.json"

title "the kernel's own table of the calls that it serves from its cache (seccomp-hook inspect)"
"$bin/seccomp-hook" inspect --pid "$(jq .pid "$dir/state.json")"

rounds=10
title "milliseconds of ctr run --rm /bin/true, medians of $rounds, one after the other"
once() { # NAME RUNTIME FLAG...
	local name=$1 runtime=$2 begin
	shift 2
	begin=$(date +%s%N)
	"${ctr[@]}" run --rm --runtime "$runtime" "$@" --rootfs "$dir/rootfs" "$namespace-$name" /bin/true >/dev/null 2>&1
	echo $((($(date +%s%N) - begin) / 10000)) >>"$dir/times-$name"
}
for ((i = 0; i < rounds; i++)); do
	once none io.containerd.runc.v2
	once native io.containerd.runc.v2 --seccomp
	once ours "$shim" --seccomp
done
median() { sort -n "$dir/times-$1" | sed -n "$((rounds / 2))p" | sed 's/..$/.&/'; }
printf '%-55s %s\n' "containerd's shim, no seccomp" "$(median none)" "containerd's shim, libseccomp in runc" "$(median native)" "$shim" "$(median ours)"

if [ "$(grep -c '^Seccomp:	2$' "$dir/seen")" -ne 2 ]; then
	echo "$0: a process ran without a filter" >&2
	exit 1
fi
