package arch

// companion says how a call is made through socketcall(2) or ipc(2): its
// number there, which is the first argument of that call.
type companion struct {
	name   string // of the call itself
	number uint8
}

// socketcalls are the calls behind socketcall(2): SYS_SOCKET and the others of
// <linux/net.h>.
var socketcalls = [...]companion{
	{"socket", 1}, {"bind", 2}, {"connect", 3}, {"listen", 4}, {"accept", 5},
	{"getsockname", 6}, {"getpeername", 7}, {"socketpair", 8}, {"send", 9},
	{"recv", 10}, {"sendto", 11}, {"recvfrom", 12}, {"shutdown", 13},
	{"setsockopt", 14}, {"getsockopt", 15}, {"sendmsg", 16}, {"recvmsg", 17},
	{"accept4", 18}, {"recvmmsg", 19}, {"sendmmsg", 20},
}

// ipcs are the calls behind ipc(2): SEMOP and the others of <linux/ipc.h>.
var ipcs = [...]companion{
	{"semop", 1}, {"semget", 2}, {"semctl", 3}, {"semtimedop", 4},
	{"msgsnd", 11}, {"msgrcv", 12}, {"msgget", 13}, {"msgctl", 14},
	{"shmat", 21}, {"shmdt", 22}, {"shmget", 23}, {"shmctl", 24},
}

// Companion returns the other way to make call name on a: the number of
// socketcall(2) or ipc(2), and which is the first argument that selects the
// call there. It is false for other calls, and on architectures that do not
// multiplex them.
func (a *Arch) Companion(name string) (nr, which uint32, ok bool) {
	if !a.Multiplexed {
		return 0, 0, false
	}
	for _, c := range socketcalls {
		if c.name == name {
			nr, ok = a.Number("socketcall")
			return nr, uint32(c.number), ok
		}
	}
	for _, c := range ipcs {
		if c.name == name {
			nr, ok = a.Number("ipc")
			return nr, uint32(c.number), ok
		}
	}
	return 0, 0, false
}
