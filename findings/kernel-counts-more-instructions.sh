#!/usr/bin/env bash
# Linux does not hold a thread's seccomp filters to 32768 of the instructions
# that they are written in, as seccomp(2) says, but of those that they become.
#
# seccomp(2): ENOMEM where "the total length of all filter programs attached to
# the calling thread would exceed MAX_INSNS_PER_PATH (32768) instructions. Note
# that for the purposes of calculating this limit, each already existing filter
# program incurs an overhead penalty of 4 instructions."
# But the length is that of the eBPF program which the kernel has made of the
# filter (kernel/seccomp.c, seccomp_attach_filter; net/core/filter.c,
# bpf_convert_filter): three instructions more for each filter, and two for one
# `return` of a constant. So half as many filters fit that are made of returns.
#
# Needs Linux on amd64 or arm64, and Go with a module proxy.
set -euo pipefail

expected='filters of 4000 instructions, jumps: 8
filters of 4000 instructions, returns: 4'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
uname --kernel-release

cat >go.mod <<'EOF'
module finding

go 1.25

require golang.org/x/sys v0.49.0
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	allow = 0x7fff0000
	jump  = unix.BPF_JMP | unix.BPF_JA // to the next instruction
	ret   = unix.BPF_RET | unix.BPF_K
)

// Filters of 4000 instructions, all but the last with the code given as
// argument, are attached until the kernel refuses one. None denies anything.
func main() {
	runtime.LockOSThread()
	middle := unix.SockFilter{Code: jump}
	if os.Args[1] == "returns" {
		middle = unix.SockFilter{Code: ret, K: allow}
	}
	filter := make([]unix.SockFilter, 4000)
	for i := range filter {
		filter[i] = middle
	}
	filter[len(filter)-1] = unix.SockFilter{Code: ret, K: allow}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	for attached := 0; ; attached++ {
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
		if errno == unix.ENOMEM {
			fmt.Println(attached)
			return
		}
		if errno != 0 {
			panic(errno)
		}
	}
}
EOF
export GOFLAGS=-mod=mod
go build -o finding . 2>log || { cat log; exit 1; }
seen="filters of 4000 instructions, jumps: $(./finding jumps)
filters of 4000 instructions, returns: $(./finding returns)"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was\n%s\n' "$expected"; exit 1; }
