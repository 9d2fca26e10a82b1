//go:build linux

package deadline

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limit is how long a piece of work may take that others wait for. None takes more
// than some tens of milliseconds on an idle machine. It is less than the kernel
// holds up who opens a leased config.json (fs.lease-break-time, 45 seconds).
var Limit = 30 * time.Second

// LimitVariable is the environment variable that has another Limit, in
// milliseconds, in builds with the tag faults.
const LimitVariable = "SECCOMP_HOOK_LIMIT"

// kernelTimer is this process's, made at its first use.
var kernelTimer = sync.OnceValues(func() (id int32, made bool) {
	// struct sigevent, which has 64 bytes (sigevent(3type)).
	event := struct {
		value  uint64
		signal int32
		notify int32
		_      [48]byte
	}{signal: int32(unix.SIGKILL)} // notify 0 is SIGEV_SIGNAL
	_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&id)))
	return id, errno == 0
})

var (
	mu sync.Mutex
	// stop ends what Stay has started; nil where that is not.
	stop chan struct{}
)

// Set gives this process so long, from now on, to come to the next call of Set
// or to Stay; then the kernel kills it. Where the kernel has no timer to give
// (RLIMIT_SIGPENDING) there is no deadline: nothing but the length of waits
// depends on it.
func Set(d time.Duration) {
	mu.Lock()
	defer mu.Unlock()
	if stop != nil {
		close(stop)
		stop = nil
	}
	set(d)
}

// Stay lets this process take as long as it likes, unless it is stopped: then it
// has Limit.
func Stay() {
	mu.Lock()
	defer mu.Unlock()
	set(Limit)
	if stop != nil {
		return
	}
	ended := make(chan struct{})
	stop = ended
	go func() {
		for tick := time.NewTicker(Limit / 4); ; {
			select {
			case <-ended:
				tick.Stop()
				return
			case <-tick.C:
			}
			mu.Lock()
			if stop == ended {
				set(Limit)
			}
			mu.Unlock()
		}
	}()
}

// set sets the timer, if there is one.
func set(d time.Duration) {
	id, made := kernelTimer()
	if !made {
		return
	}
	// struct itimerspec: no interval, and when.
	spec := [2]unix.Timespec{1: unix.NsecToTimespec(int64(d))}
	// It cannot fail: the timer is there, and the time is valid.
	_, _, _ = unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(id), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}
