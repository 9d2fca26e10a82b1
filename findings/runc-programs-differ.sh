#!/usr/bin/env bash
# runc installs another filter program for one and the same profile from one
# start to the next, where the profile lists several architectures.
#
# In front of libseccomp's program runc puts a stub of its own that answers
# calls newer than the profile with ENOSYS (libcontainer/seccomp/patchbpf). It
# writes the stub's parts in the order in which Go walks a map of the
# architectures, and that differs each time. The verdicts are the same. But who
# keeps a digest of a container's program, or compares two containers by it,
# sees changes where there are none.
#
# Needs root, Linux 4.4 or newer, Debian 12 on amd64, its archive, and gcc.
set -euo pipefail
shopt -s inherit_errexit

packages=(runc=1.1.5+ds1-1+deb12u1 libseccomp2=2.5.4-1+deb12u1 busybox-static=1:1.35.0-4+deb12u1+b1)
expected='one architecture: 1 program
four architectures: several programs'
starts=16

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
export LD_LIBRARY_PATH=$tmp/packages/usr/lib/x86_64-linux-gnu
runc() { packages/usr/sbin/runc --root "$tmp/state" "$@"; }
runc --version | head -n 1

cat >filter.c <<'EOF'
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

/* Writes the only filter of a process, as struct sock_filter. */
int main(int argc, char **argv)
{
	static struct sock_filter program[4096];
	pid_t pid = atoi(argv[argc - 1]);
	long n;
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		return 1;
	n = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, program);
	return n <= 0 || fwrite(program, sizeof *program, n, stdout) != (size_t)n;
}
EOF
gcc -o filter filter.c

mkdir -p bundle/rootfs/{bin,proc}
cp packages/bin/busybox bundle/rootfs/bin/

# programs ARCHITECTURES prints how many programs as many starts bring.
programs() {
	cat >bundle/config.json <<-EOF
		{
			"ociVersion": "1.0.2",
			"process": {"cwd": "/", "args": ["/bin/busybox", "sleep", "60"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true},
			"root": {"path": "rootfs"},
			"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
			"linux": {
				"namespaces": [{"type": "pid"}, {"type": "mount"}],
				"seccomp": {
					"defaultAction": "SCMP_ACT_ERRNO",
					"architectures": [$1],
					"syscalls": [
						{"names": ["acct", "reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2},
						{"names": [$(calls)], "action": "SCMP_ACT_ALLOW"}
					]
				}
			}
		}
	EOF
	for ((i = 0; i < starts; i++)); do
		runc run --detach --pid-file pid --bundle bundle finding-differ </dev/null >/dev/null 2>&1
		./filter "$(<pid)" | sha256sum
		runc delete --force finding-differ
	done | sort --unique | wc -l
}

# calls prints names that busybox and runc's init need.
calls() {
	printf '"%s", ' arch_prctl brk capget capset chdir clone close dup2 dup3 epoll_ctl epoll_pwait execve exit exit_group fchdir fcntl \
		fstat fstatfs futex getcwd getdents64 getgid getpid getppid getrandom getsockname getsockopt gettid getuid lseek madvise \
		mmap mprotect munmap nanosleep clock_nanosleep newfstatat open openat poll prctl pread64 prlimit64 read readlink \
		readlinkat rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield set_robust_list set_tid_address \
		setgid setgroups setuid sigaltstack stat statfs tgkill uname write
	printf '"exit"'
}

one=$(programs '"SCMP_ARCH_X86_64"')
four=$(programs '"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"')
[ "$four" -gt 1 ] && four=several
seen="one architecture: $one program
four architectures: $four programs"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
