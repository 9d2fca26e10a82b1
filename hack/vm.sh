#!/usr/bin/env bash
# Boots a kernel of Debian's under QEMU's full emulation (no KVM is needed) and
# runs one command in that machine, whose output and exit status are its own.
# Emulated time proves verdicts, never speed.
#
# The machine has busybox, runc and crun of Debian 12 for its architecture, a
# cgroup2, and over that whatever is in OVERLAY, a folder. Everything is in
# memory: nothing is left behind. Packages come by an apt state of their own, so
# the host's architectures stay as they are; downloads are kept in .build/vm.
# QEMU and cpio are the host's: hack/dependencies.sh machine.
#
# usage: hack/vm.sh [OPTION...] OVERLAY COMMAND [ARGUMENT...]
#        hack/vm.sh [--arch ARCH] --kernels   lists the series that Debian serves, and where
#        hack/vm.sh [--arch ARCH] --package NAME --unpack FOLDER   the machine's files, and boots nothing
#   --arch ARCH          amd64, arm64 or s390x; default arm64
#   --kernel SERIES      the newest kernel of 5.10, 6.1, …; default 6.1
#   --suite SUITE        where Debian serves that kernel; default bookworm
#   --package NAME       one more of Debian 12's packages
#   --append WORD        one more word of the kernel's command line
#   --memory MIB         default 2048
#   --timeout SECONDS    of the whole run; default 600
set -euo pipefail

cd "$(dirname "$0")/.."
arch=arm64 kernel=6.1 suite=bookworm memory=2048 timeout=600
packages=(busybox-static crun runc) append=() kernels="" unpack=""
while [[ ${1-} == --* ]]; do
	if [ "$1" = --kernels ]; then
		kernels=1
		shift
		continue
	fi
	[ $# -ge 2 ] || {
		echo "$0: $1 lacks its value" >&2
		exit 2
	}
	case $1 in
	--arch) arch=$2 ;;
	--kernel) kernel=$2 ;;
	--suite) suite=$2 ;;
	--package) packages+=("$2") ;;
	--append) append+=("$2") ;;
	--memory) memory=$2 ;;
	--unpack) unpack=$2 ;;
	--timeout) timeout=$2 ;;
	*)
		echo "$0: what is $1?" >&2
		exit 2
		;;
	esac
	shift 2
done
if [ $# -lt 2 ] && [ -z "$kernels$unpack" ]; then
	sed -n '/^# usage/,/^[^#]/s/^# \?//p' "$0" >&2
	exit 2
fi

# What Debian calls its kernels for virtual machines, where it makes any.
flavour=cloud-$arch
# A host's thread for each processor, but on x86, where Linux patches the code that
# another processor runs: that one can meet a breakpoint which is gone when it is
# looked up, and the kernel calls that an oops (arch/x86/kernel/alternative.c; seen with
# QEMU 7.2 in two boots of eleven).
threads=multi
case $arch in
amd64)
	machine=(qemu-system-x86_64 -M q35 -cpu max) console=ttyS0 threads=single
	append+=(no_timer_check) # on a busy host the emulated timer is late for it
	;;
arm64) machine=(qemu-system-aarch64 -M virt -cpu cortex-a72) console=ttyAMA0 ;;
s390x) machine=(qemu-system-s390x -M s390-ccw-virtio -cpu max) console=ttysclp0 flavour=s390x ;;
*)
	echo "$0: no machine for $arch" >&2
	exit 2
	;;
esac

store=$PWD/.build/vm/$arch
mkdir -p "$store"
work=$(mktemp --directory "$store/run.XXXXXX")
trap 'rm -rf "$work"' EXIT

# shellcheck source=hack/apt.sh
. hack/apt.sh

# fetch_packages: the packages and what they depend on, unpacked and packed
# again as the beginning of an initramfs.
fetch_packages() {
	local name deb root=$work/root
	name=$(printf '%s\n' "${packages[@]}" | sort --unique | sha256sum | cut --characters -16)
	base=$store/base-$name.cpio
	[ ! -e "$base" ] || return 0
	lists bookworm
	apt bookworm apt-get install --yes --download-only --no-install-recommends "${packages[@]}"
	mkdir -p "$root"/{dev,etc,proc,run,sys,tmp,var}
	while read -r deb; do
		dpkg --extract "$store/bookworm/cache/archives/$deb" "$root"
	done < <(apt bookworm apt-get install --yes --print-uris --no-install-recommends -o Dir::Cache="$work/none" "${packages[@]}" | awk '/^\x27/ { print $2 }')
	rm -rf "$root"/usr/share/{doc,info,locale,man,lintian,bug}
	ln -sfn /proc/self/mounts "$root/etc/mtab"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	pack "$root" >"$work/base"
	mv "$work/base" "$base"
}

# names SUITE SERIES: the kernel packages of a series, a regular expression, the
# newest last.
names() {
	apt "$1" apt-cache search --names-only "^linux-image-$2\.[^ ]*-$flavour(-unsigned)?\$" | awk '{ print $1 }' | sort --version-sort
}

# list_kernels: a line for each series, "5.10 bullseye", of the newest suite
# that has it.
list_kernels() {
	local each
	for each in bullseye bookworm bookworm-backports trixie trixie-backports; do
		lists "$each" >&2
		names "$each" '[0-9]+' | sed --silent --regexp-extended "s/^linux-image-([0-9]+\.[0-9]+)[.+].*/\1 $each/p"
	done | tac | sort --unique --stable --key 1,1V
}

# fetch_kernel: the newest one of the series, without its modules.
fetch_kernel() {
	local package binary
	image=$store/vmlinuz-$suite-$kernel
	[ ! -e "$image" ] || return 0
	lists "$suite"
	package=$(names "$suite" "${kernel//./\\.}" | tail -n 1)
	# From 6.19 on it is in a package of its own.
	binary=linux-binary-${package#linux-image-}
	if apt "$suite" apt-cache show "$binary" >/dev/null 2>&1; then
		package=$binary
	fi
	if [ -z "$package" ]; then
		echo "$0: Debian has no kernel $kernel in $suite for $arch" >&2
		exit 1
	fi
	(cd "$work" && apt "$suite" apt-get download "$package" && dpkg --fsys-tarfile "$package"_*.deb | tar --extract --wildcards '*/vmlinuz*')
	find "$work" -name 'vmlinuz*' -type f -exec mv {} "$image" ';'
}

# pack FOLDER: an archive as the kernel unpacks it.
pack() { (cd "$1" && find . -print0 | cpio --null --create --quiet --format newc --owner 0:0); }

# Others may be downloading the same.
exec 9>"$store/.lock"
flock 9
if [ -n "$kernels" ]; then
	list_kernels
	exit
fi
[ -n "$unpack" ] || overlay=$(realpath "$1")
{
	fetch_packages
	[ -n "$unpack" ] || fetch_kernel
} >"$work/log" 2>&1 9>&- || {
	cat "$work/log" >&2
	exit 1
}
flock --unlock 9
if [ -n "$unpack" ]; then
	mkdir -p "$unpack"
	cpio --extract --unconditional --make-directories --quiet --directory "$unpack" <"$base"
	exit
fi
shift

# The kernel's first root cannot be pivoted away from (pivot_root(2)), which
# runtimes do. A bind mount of it can.
mkdir -p "$work/top/run"
printf '%q ' "$@" >"$work/top/task"
cat >"$work/top/init" <<'INIT'
#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
if [ "$1" != again ]; then
	/bin/busybox mkdir -p /.root
	/bin/busybox mount -o bind / /.root
	cd /.root
	/bin/busybox mount -o move . /
	exec /bin/busybox chroot . /bin/busybox sh /init again
fi
/bin/busybox --install -s /bin
mkdir -p /dev /proc /sys /tmp /run /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
	ln -sfn "/proc/self/${link#*:}" "/dev/${link%%:*}"
done
ip link set lo up
stty raw <>/dev/console
cd /
echo 'machine: begins'
setsid sh /task </dev/null
echo "machine: ended with $?"
poweroff -f
INIT
chmod 0755 "$work/top/init"
{
	cat "$base"
	pack "$overlay"
	pack "$work/top"
} >"$work/initrd"

# It takes all the processors there are, and waits for whoever wants one.
nice -n 19 setpriv --pdeathsig TERM timeout --kill-after 5 "$timeout" setpriv --pdeathsig KILL "${machine[@]}" \
	-smp 2 -m "$memory" -accel tcg,thread=$threads -display none -monitor none -serial stdio -no-reboot -net none \
	-kernel "$image" -initrd "$work/initrd" -append "console=$console loglevel=3 panic=-1 ${append[*]}" </dev/null 9>&- |
	tee "$work/console" | awk '
		/^machine: ended with [0-9]+\r?$/ { exit }
		begun { print; fflush() }
		/^machine: begins/ { begun = 1 }
	' || true
status=$(tr --delete '\r' <"$work/console" | sed --silent 's/^machine: ended with \([0-9]\+\)$/\1/p')
if [ -z "$status" ]; then
	echo "$0: the machine did not come to its end in $timeout s; its console:" >&2
	tail -n 100 "$work/console" >&2
	exit 1
fi
exit "$status"
