#!/usr/bin/env bash
# Runs one container under runc, with seccomp-hook as its prestart hook on
# Docker's default profile, and shows what the container saw and what the hook
# reports. Nothing but the store of compiled filters is left behind.
set -euo pipefail

cd "$(dirname "$0")/.."
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: making a container takes root" >&2
	exit 1
fi

hook=$PWD/bin/seccomp-hook
dir=$(mktemp -d)
id=seccomp-hook-demo-$$
runc=(runc --root "$dir/state")

cleanup() {
	"${runc[@]}" delete --force "$id" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT

title() { printf '\n== %s\n' "$*"; }

# What the container does: it looks at itself, and makes a call that Docker's
# profile denies and that root without CAP_SYS_ADMIN may make otherwise.
cat >"$dir/look" <<'END'
grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
if unshare -U true; then
	echo 'unshare(CLONE_NEWUSER): succeeded'
fi
END

mkdir -p "$dir"/bundle/rootfs/{bin,dev,proc,sys}
cp /bin/busybox "$dir/bundle/rootfs/bin/"
for applet in sh grep unshare true; do
	ln -s busybox "$dir/bundle/rootfs/bin/$applet"
done

# config WITH-HOOK: runc's own example, as Docker would fill it in, without
# linux.seccomp.
config() {
	rm -f "$dir/bundle/config.json"
	(cd "$dir/bundle" && runc spec)
	jq --arg hook "$hook" --rawfile look "$dir/look" --argjson with "$1" '
		.process.terminal = false | .process.noNewPrivileges = false | .process.args = ["sh", "-c", $look]
		| (["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
		    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"] | map("CAP_" + .)) as $caps
		| .process.capabilities = {bounding: $caps, effective: $caps, permitted: $caps}
		| if $with then
			.annotations["io.seccomp-hook.profile"] = "builtin:docker"
			| .hooks = {
				prestart: [{path: $hook, args: ["seccomp-hook", "prestart"]}],
				poststop: [{path: $hook, args: ["seccomp-hook", "poststop"]}]
			}
		  else . end' "$dir/bundle/config.json" >"$dir/config.json"
	mv "$dir/config.json" "$dir/bundle/config.json"
}

title "without the hook, the container sees"
config false
"${runc[@]}" run --bundle "$dir/bundle" "$id" </dev/null

title "with the hook in config.json"
config true
jq '{annotations, hooks}' "$dir/bundle/config.json"
"${runc[@]}" create --bundle "$dir/bundle" "$id" </dev/null >"$dir/output" 2>&1 || {
	cat "$dir/output" >&2
	exit 1
}
"$hook" state "$id" >"$dir/state.json"
"${runc[@]}" start "$id"
until [ "$("${runc[@]}" state "$id" | jq -r .status)" = stopped ]; do
	sleep 0.05
done
title "the container sees"
cat "$dir/output"
title "the hook reports (seccomp-hook state $id)"
jq '.annotations' "$dir/state.json"

title "calls that the kernel serves from its cache, without running the filter"
jq --raw-output '.annotations | . as $a
	| [keys[] | capture("^io\\.seccomp-hook\\.cache\\.(?<arch>.+)\\.total$").arch][]
	| . as $arch | def count($of): $a["io.seccomp-hook.cache.\($arch).\($of)"];
	"\($arch): \(count("cached")) of \(count("total")); \(count("constant")) have a constant answer, \(count("dynamic")) depend on arguments"
' "$dir/state.json"

grep -qx 'Seccomp:	2' "$dir/output" || {
	echo "$0: the container ran without a filter" >&2
	exit 1
}
