package compile

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync"

	"seccomp-hook/pkg/arch"
)

// Weights says how often calls are made, against each other, in any unit.
type Weights struct {
	calls   map[arch.Call]int64
	numbers map[numbered]int64
	// rest is the weight of all other calls, where hasRest says that there is
	// one.
	rest    int64
	hasRest bool
}

// unit is 1 in weights. They are whole numbers so that the same weights give
// the same program on every machine: what a float comes to in the last bit
// depends on the instructions that there are.
const unit = 1000

// numbered is a call by architecture and number. Without an architecture it is
// a number of the native one.
type numbered struct {
	arch *arch.Arch
	nr   uint32
}

// WeightsError says which line of a weights file is wrong.
type WeightsError struct {
	Line   int // from 1
	Reason string
}

func (e *WeightsError) Error() string {
	return fmt.Sprintf("compile: weights: line %d: %s", e.Line, e.Reason)
}

// ParseWeights reads a weights file: a line for each call,
//
//	[ARCH:]CALL WEIGHT
//
// where CALL is a name or a number and WEIGHT a number from 0 to 1e9, in any unit
// and to three decimal places. Without ARCH, a name counts on every architecture that has it and a
// number on the native one. The CALL * is every call that the file does not
// name; without it these have what the goal gives them. A # begins a comment.
// The error, if r can be read, is a *WeightsError.
func ParseWeights(r io.Reader) (*Weights, error) {
	w := &Weights{calls: map[arch.Call]int64{}, numbers: map[numbered]int64{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, &WeightsError{n, "must be a call and its weight"}
		}
		weight, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || !(weight >= 0 && weight <= 1e9) {
			return nil, &WeightsError{n, fmt.Sprintf("weight %q is not a number from 0 to 1e9", fields[1])}
		}
		if reason := w.set(fields[0], int64(math.Round(weight*unit))); reason != "" {
			return nil, &WeightsError{n, reason}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("compile: weights: %w", err)
	}
	return w, nil
}

// set gives the call that a line names its weight, and returns why it cannot.
func (w *Weights) set(name string, weight int64) string {
	if name == "*" {
		w.rest, w.hasRest = weight, true
		return ""
	}
	var on *arch.Arch
	if before, after, ok := strings.Cut(name, ":"); ok {
		if on, ok = arch.ByName(before); !ok {
			return fmt.Sprintf("unknown architecture %q", before)
		}
		name = after
	}
	if nr, err := strconv.ParseUint(name, 0, 32); err == nil {
		w.numbers[numbered{on, uint32(nr)}] = weight
		return ""
	}
	call, known := arch.FindCall(name)
	if !known {
		return fmt.Sprintf("unknown call %q", name)
	}
	if on == nil {
		w.calls[call] = weight
		return ""
	}
	nr, has := on.NumberOf(call)
	if !has {
		return fmt.Sprintf("%s has no call %q", on, name)
	}
	w.numbers[numbered{on, nr}] = weight
	return ""
}

// of returns the weight of a call, false where w does not say.
func (w *Weights) of(a *arch.Arch, native bool, nr uint32, call arch.Call) (int64, bool) {
	if w == nil {
		return 0, false
	}
	if weight, ok := w.numbers[numbered{a, nr}]; ok {
		return weight, true
	}
	if native {
		if weight, ok := w.numbers[numbered{nil, nr}]; ok {
			return weight, true
		}
	}
	if weight, ok := w.calls[call]; ok {
		return weight, true
	}
	return w.rest, w.hasRest
}

// traffic is how many of 10,000 calls are this one, for those that are at least
// one of them: counted with strace -f -c over 85,000 calls of everyday programs
// (shells with coreutils, find, tar, git, gcc, go vet, perl, python with threads,
// children and an HTTP server, apt-cache) on Debian 12. What counts of it are
// the calls that a profile looks into or denies.
const traffic = `
newfstatat 1776  fcntl 1210  close 1183  openat 1061  read 944  mmap 515
rt_sigaction 429  write 410  rt_sigprocmask 405  getdents64 300
nanosleep 181  epoll_ctl 149  futex 125  readlinkat 94  execve 94  mprotect 81
lseek 76  brk 76  ioctl 59  readlink 58  access 58  wait4 46
set_robust_list 44  getpid 42  pread64 41  geteuid 38  getuid 37  getgid 37
getegid 37  prlimit64 34  munmap 30  mkdirat 30  dup2 28  rt_sigreturn 26
clone 25  rseq 21  getrandom 21  arch_prctl 21  set_tid_address 20
getppid 16  pipe2 16  epoll_pwait 7  utimensat 7  sysinfo 7  uname 6
getpgrp 5  gettid 5  sched_yield 5  getxattr 5  chdir 4  statx 4  statfs 4
sigaltstack 4  getcwd 4  ftruncate 4  lgetxattr 3  tgkill 3  madvise 3
socket 2  connect 2  faccessat2 2  fstat 2  fadvise64 2  times 1  mremap 1
alarm 1  sched_getaffinity 1  umask 1  prctl 1  mkdir 1  poll 1
`

// frequencies has for every call that is in traffic what the table makes of it:
// about the logarithm, because other programs make other calls.
var frequencies = sync.OnceValue(func() []int64 {
	fields := strings.Fields(traffic)
	var list []int64
	for i := 0; i+1 < len(fields); i += 2 {
		call, _ := arch.FindCall(fields[i])
		count, _ := strconv.Atoi(fields[i+1])
		for len(list) <= int(call) {
			list = append(list, unit)
		}
		list[call] = unit + unit/4*int64(bits.Len(uint(count)))
	}
	return list
})

// frequency returns how often a call is made, against 1 of calls that are
// hardly ever.
func frequency(call arch.Call) int64 {
	if list := frequencies(); int(call) < len(list) {
		return list[call]
	}
	return unit
}
