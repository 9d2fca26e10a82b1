package arch

// Companion says how a call is made on architectures that are Multiplexed:
// there Via, with Which as its first argument, does what Call does. Many of
// them have Call as well.
type Companion struct {
	Call Call
	Via  Call // socketcall or ipc
	// Which is SYS_SOCKET or another of <linux/net.h>, SEMOP or another of
	// <linux/ipc.h>.
	Which uint32
}

var socketcalls = [...]string{
	1: "socket", 2: "bind", 3: "connect", 4: "listen", 5: "accept",
	6: "getsockname", 7: "getpeername", 8: "socketpair", 9: "send", 10: "recv",
	11: "sendto", 12: "recvfrom", 13: "shutdown", 14: "setsockopt",
	15: "getsockopt", 16: "sendmsg", 17: "recvmsg", 18: "accept4",
	19: "recvmmsg", 20: "sendmmsg",
}

var ipcs = [...]string{
	1: "semop", 2: "semget", 3: "semctl", 4: "semtimedop",
	11: "msgsnd", 12: "msgrcv", 13: "msgget", 14: "msgctl",
	21: "shmat", 22: "shmdt", 23: "shmget", 24: "shmctl",
}

// Companions returns the calls behind socketcall(2) and ipc(2).
func Companions() []Companion {
	var list []Companion
	add := func(via string, names []string) {
		viaCall, _ := FindCall(via)
		for which, name := range names {
			if name == "" {
				continue
			}
			call, _ := FindCall(name)
			list = append(list, Companion{Call: call, Via: viaCall, Which: uint32(which)})
		}
	}
	add("socketcall", socketcalls[:])
	add("ipc", ipcs[:])
	return list
}
