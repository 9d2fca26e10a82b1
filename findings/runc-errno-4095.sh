#!/usr/bin/env bash
# runc refuses an errnoRet of 4095 and more, in words about something else.
#
# The kernel takes every errno of a filter and makes 4095 of a higher one
# (kernel/seccomp.c, __seccomp_filter). libseccomp wants less than 4095
# (system.c, sys_chk_seccomp_action) and returns EINVAL. libseccomp-golang has
# one sentence for any EINVAL of a rule with conditions, so runc's error speaks
# of "two checks on same syscall argument", which the profile has not. The
# runtime-spec sets no limit.
#
# Needs root, Debian 12 on amd64, and its archive.
set -euo pipefail

packages=(runc=1.1.5+ds1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 busybox-static=1:1.35.0-4+deb12u1+b1)
expected='4094: starts
4095: two checks on same syscall argument'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
packages/usr/sbin/runc --version | head -n 1

mkdir -p bundle/rootfs/{bin,proc}
cp packages/bin/busybox bundle/rootfs/bin/

# start ERRNO says what becomes of a container whose profile has that errno.
start() {
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.0.2",
			"process": {"cwd": "/", "args": ["/bin/busybox", "echo", "starts"], "user": {"uid": 0, "gid": 0}},
			"root": {"path": "rootfs"},
			"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
			"linux": {
				"namespaces": [{"type": "pid"}, {"type": "mount"}],
				"seccomp": {
					"defaultAction": "SCMP_ACT_ALLOW",
					"syscalls": [{
						"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": $1,
						"args": [{"index": 2, "value": 1, "op": "SCMP_CMP_EQ"}]
					}]
				}
			}
		}
	EOF
	packages/usr/sbin/runc --root "$tmp/state" run --bundle bundle finding-errno </dev/null >output 2>&1 || true
	grep --only-matching 'starts\|two checks on same syscall argument' output
}

seen="4094: $(start 4094)
4095: $(start 4095)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
