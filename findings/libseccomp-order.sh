#!/usr/bin/env bash
# Where several rules of libseccomp apply to one call, which of them decides
# does not depend on the order in which they were added.
#
# Whoever reads a profile from the top, as a firewall's rules are read, expects
# the first match to win. libseccomp 2.5 (db.c, _db_chain_lt) orders the tests
# of a call itself: a later argument before an earlier one; of one argument
# equality and masks first, then "below", then "above"; and of these the larger
# constant first, but of "below" the smaller one. OCI profiles are applied in
# this way by runc and crun.
#
# Needs Linux on amd64, Debian 12, its archive, and gcc.
set -euo pipefail

packages=(libseccomp2=2.5.4-1+deb12u1 libseccomp-dev=2.5.4-1+deb12u1)
expected='equal to 7, above 3: ERRNO 101, added the other way round 101
below 9, above 3: ERRNO 101, added the other way round 101
above 5, above 3: ERRNO 101, added the other way round 101
argument 1 equal to 0, argument 0 equal to 7: ERRNO 101, added the other way round 101'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
apt-get download --quiet=2 "${packages[@]}" 2>log || { cat log; exit 1; }
for package in *.deb; do
	dpkg --extract "$package" packages
done
cat >finding.c <<'EOF'
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A rule whose errno is 101 is to win over one whose errno is 102. */
static const struct pair {
	const char *name;
	struct scmp_arg_cmp wins, loses;
} pairs[] = {
	{"equal to 7, above 3", {0, SCMP_CMP_EQ, 7}, {0, SCMP_CMP_GT, 3}},
	{"below 9, above 3", {0, SCMP_CMP_LT, 9}, {0, SCMP_CMP_GT, 3}},
	{"above 5, above 3", {0, SCMP_CMP_GT, 5}, {0, SCMP_CMP_GT, 3}},
	{"argument 1 equal to 0, argument 0 equal to 7", {1, SCMP_CMP_EQ, 0}, {0, SCMP_CMP_EQ, 7}},
};

/* decides returns the errno that personality(7, 0) gets. */
static int decides(const struct pair *p, int turned)
{
	int status;
	if (fork() == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
		for (int i = 0; i < 2; i++) {
			int loses = i != turned;
			if (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(loses ? 102 : 101), SCMP_SYS(personality), 1,
						   loses ? &p->loses : &p->wins))
				_exit(1);
		}
		if (seccomp_load(filter))
			_exit(2);
		syscall(SYS_personality, 7, 0);
		_exit(errno);
	}
	wait(&status);
	return WEXITSTATUS(status);
}

int main(void)
{
	const struct scmp_version *v = seccomp_version();
	fprintf(stderr, "libseccomp %u.%u.%u\n", v->major, v->minor, v->micro);
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++)
		printf("%s: ERRNO %d, added the other way round %d\n", pairs[i].name, decides(&pairs[i], 0), decides(&pairs[i], 1));
	return 0;
}
EOF
lib=packages/usr/lib/x86_64-linux-gnu
gcc -I packages/usr/include -o finding finding.c "$lib/libseccomp.so.2"
seen=$(LD_LIBRARY_PATH=$lib ./finding)
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
