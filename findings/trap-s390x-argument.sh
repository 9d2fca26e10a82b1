#!/usr/bin/env bash
# On s390x a handler of SIGSYS cannot see a call's first argument: SECCOMP_RET_TRAP
# leaves -ENOSYS in its register.
#
# The filters' documentation says that the registers are taken back to what they were
# before the call, so that a handler can look at it and do it in the kernel's place
# (Documentation/userspace-api/seccomp_filter.rst). So they are on x86_64. On s390x the
# first argument and the result share a register, and the kernel writes -ENOSYS into it
# after the filters have run and restored it (arch/s390/kernel/syscall.c, __do_syscall).
# Whoever emulates calls in a handler has to find the first argument elsewhere.
#
# Needs Debian 12 on amd64 and its archive, Go, cpio, and qemu-system-s390x of
# qemu-system-misc: it boots Debian's kernel in emulation, for half a minute.
set -euo pipefail

# One of Debian's kernels of the same series is as good when this one is gone.
image=linux-image-6.1.0-50-s390x_6.1.176-1_s390x.deb
sum=a9cbaa26e37f70caa41b66b23f82169eb82042471c1ee89592613b659b12c0dd
expected='amd64: the first argument was 0x1234, and its register has 0x1234
s390x: the first argument was 0x1234, and its register has 0xffffffffffffffda'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
curl --silent --show-error --fail --output "$image" "http://deb.debian.org/debian/pool/main/l/linux/$image"
echo "$sum  $image" | sha256sum --check --quiet
dpkg --extract "$image" kernel

# A child has a filter that traps sync(2), makes that call, and is looked at by its
# tracer when SIGSYS comes.
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const argument = 0x1234

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child() {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SYNC, Jf: 1},
		{Code: unix.BPF_RET, K: 0x00030000}, // SECCOMP_RET_TRAP
		{Code: unix.BPF_RET, K: 0x7fff0000}, // SECCOMP_RET_ALLOW
	}
	must(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	filter := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	must(unix.Prctl(unix.PR_SET_SECCOMP, 2, uintptr(unsafe.Pointer(filter)), 0, 0))
	_, _, errno := unix.RawSyscall(unix.SYS_SYNC, argument, 0, 0)
	fmt.Println("not trapped:", errno)
	os.Exit(1)
}

func main() {
	runtime.LockOSThread() // who is the tracer, and in the child has the filter
	if len(os.Args) > 1 {
		child()
	}
	cmd := exec.Command(os.Args[0], "child")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	must(cmd.Start())
	for signal := unix.Signal(0); signal != unix.SIGSYS; {
		var status unix.WaitStatus
		_, err := unix.Wait4(cmd.Process.Pid, &status, 0, nil)
		must(err)
		if !status.Stopped() {
			fmt.Println("ended without SIGSYS")
			break
		}
		switch signal = status.StopSignal(); signal {
		case unix.SIGSYS:
			var registers unix.PtraceRegs
			must(unix.PtraceGetRegs(cmd.Process.Pid, &registers))
			fmt.Printf("%s: the first argument was %#x, and its register has %#x\n", runtime.GOARCH, argument, first(&registers))
			must(unix.Kill(cmd.Process.Pid, unix.SIGKILL))
		case unix.SIGTRAP: // of its execve
			must(unix.PtraceCont(cmd.Process.Pid, 0))
		default:
			must(unix.PtraceCont(cmd.Process.Pid, int(signal)))
		}
	}
	if os.Getpid() == 1 {
		must(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	}
}
EOF
register() {
	printf 'package main\n\nimport "golang.org/x/sys/unix"\n\nfunc first(r *unix.PtraceRegs) uint64 { return r.%s }\n' "$2" >"first_$1.go"
}
register amd64 Rdi
register s390x 'Gprs[2]'
go mod init finding 2>log
go get golang.org/x/sys@v0.50.0 2>log || { cat log; exit 1; }
export CGO_ENABLED=0
GOARCH=amd64 go build -o here .
mkdir root
GOARCH=s390x go build -o root/init .
(cd root && echo init | cpio --create --format newc --quiet) >initrd
seen=$(
	./here
	timeout 300 qemu-system-s390x -M s390-ccw-virtio -cpu max -m 512 -display none -monitor none -serial stdio -net none -no-reboot \
		-kernel kernel/boot/vmlinuz-* -initrd initrd -append 'console=ttysclp0 loglevel=3 panic=-1' </dev/null | tr -d '\r' | grep '^s390x: '
)
echo "$(basename kernel/boot/vmlinuz-*) in $(qemu-system-s390x --version | head -n 1)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
