package precompute

import "seccomp-hook/pkg/bpf"

// Next says how a thread goes on after the filters have decided.
type Next uint8

// What can be next.
const (
	Execute     Next = iota // the call is made
	Skip                    // the call is not made, Effect.Result is in the return register
	Signal                  // the call is not made, SIGSYS with Effect.Siginfo
	Trace                   // PTRACE_EVENT_SECCOMP with Effect.Message, then the tracer's choice
	Notify                  // the listener of Effect.Filter is asked, and answers
	KillThread              // the thread exits as by SIGSYS
	KillProcess             // the process dies of SIGSYS with Effect.Siginfo, which no handler gets
)

var nextNames = [...]string{"execute", "skip", "signal", "trace", "notify", "kill thread", "kill process"}

func (n Next) String() string { return nextNames[n] }

// Effect is everything that follows a Decision (__seccomp_filter in
// kernel/seccomp.c).
type Effect struct {
	Next Next
	// Result is what the thread finds in its return register after Skip: a
	// negative errno, or 0.
	Result int64
	// Message is what PTRACE_GETEVENTMSG gives the tracer.
	Message uint16
	// Filter is the index of the deciding filter, -1 for none.
	Filter int
	// Siginfo is set for Signal and KillProcess. The registers are those from
	// before the call.
	Siginfo Siginfo
	// Log says that an audit record is written, unless
	// kernel.seccomp.actions_logged leaves the action out.
	Log bool
}

// Siginfo has the fields of siginfo_t that SIGSYS comes with.
type Siginfo struct {
	Signo    int32  // 31, SIGSYS (x86 and most others)
	Code     int32  // 1, SYS_SECCOMP; 2, SYS_USER_DISPATCH, where an emulation filter redirects
	Errno    int32  // the filter's data
	CallAddr uint64 // address after the system call instruction
	Syscall  int32  // the call's number
	Arch     uint32 // its AUDIT_ARCH_* token
}

const (
	sigsys          = 31
	sysSeccomp      = 1 // SYS_SECCOMP, si_code
	sysUserDispatch = 2 // SYS_USER_DISPATCH, si_code
)

// Situation is what an Effect depends on besides filters and call.
type Situation struct {
	// Tracer says that the thread is traced with PTRACE_O_TRACESECCOMP.
	Tracer bool
	// LastThread says that no other thread of the process is alive.
	LastThread bool
}

// Effect returns what follows d, a decision of c about call.
func (c *Chain) Effect(d Decision, call *bpf.Data, s Situation) Effect {
	e := Effect{Filter: d.Filter}
	flags := c.flags(d.Filter)
	siginfo := Siginfo{
		Signo: sigsys, Code: sysSeccomp, Errno: int32(d.Return.Data()),
		CallAddr: call.IP, Syscall: int32(call.Nr), Arch: call.Arch,
	}
	e.Log = flags&FlagLog != 0
	switch d.Return.Action() {
	case bpf.RetAllow:
		e.Next, e.Log = Execute, false
	case bpf.RetLog:
		e.Next, e.Log = Execute, true
	case bpf.RetErrno:
		e.Next, e.Result = Skip, -int64(min(d.Return.Data(), maxErrno))
	case bpf.RetTrap:
		if d.Redirected {
			siginfo.Code = sysUserDispatch
		}
		e.Next, e.Siginfo = Signal, siginfo
	case bpf.RetTrace:
		if s.Tracer {
			e.Next, e.Message, e.Log = Trace, d.Return.Data(), false
		} else {
			e.Next, e.Result = Skip, -enosys
		}
	case bpf.RetUserNotif:
		if flags&FlagNewListener != 0 {
			e.Next = Notify
		} else {
			e.Next, e.Result = Skip, -enosys
		}
	case bpf.RetKillThread:
		e.Log = true
		if !s.LastThread {
			e.Next = KillThread
			break
		}
		e.Next, e.Siginfo = KillProcess, siginfo
	default: // KILL_PROCESS, and every action that the kernel does not know
		e.Next, e.Siginfo, e.Log = KillProcess, siginfo, true
	}
	return e
}

// flags returns the flags of a filter, 0 for index -1.
func (c *Chain) flags(index int) Flags {
	for f := c.newest; f != nil; f = f.older {
		if f.index == index {
			return f.flags
		}
	}
	return 0
}
