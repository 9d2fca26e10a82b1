package explain

import (
	"fmt"
	"strconv"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

//go:generate go run ./internal/gen

// names are the constants that an argument can have, in the order of their values.
type names []struct {
	value uint64
	name  string
}

// value returns the name of a constant, "" where it has none.
func (n names) value(v uint64) string {
	for _, c := range n {
		if c.value == v {
			return c.name
		}
	}
	return ""
}

// flags writes a mask as its bits, those that have no name in hexadecimal; "" is
// no bit. Where constants share bits, the one with more of them wins.
func (n names) flags(v uint64) string {
	var list []string
	for i := len(n) - 1; i >= 0; i-- {
		if c := n[i]; c.value != 0 && v&c.value == c.value {
			v &^= c.value
			list = append([]string{c.name}, list...)
		}
	}
	if v != 0 {
		list = append(list, fmt.Sprintf("%#x", v))
	}
	return strings.Join(list, "|")
}

// fileKinds are S_IFMT of <linux/stat.h>.
var fileKinds = names{{0x1000, "S_IFIFO"}, {0x2000, "S_IFCHR"}, {0x4000, "S_IFDIR"}, {0x6000, "S_IFBLK"}, {0x8000, "S_IFREG"}, {0xa000, "S_IFLNK"}, {0xc000, "S_IFSOCK"}}

// personas and personaFlags are those of <linux/personality.h>.
var personas = names{{0, "PER_LINUX"}, {8, "PER_LINUX32"}}

// personaFlags are the bits beside a persona.
var personaFlags = names{
	{0x20000, "UNAME26"}, {0x40000, "ADDR_NO_RANDOMIZE"}, {0x80000, "FDPIC_FUNCPTRS"}, {0x100000, "MMAP_PAGE_ZERO"},
	{0x200000, "ADDR_COMPAT_LAYOUT"}, {0x400000, "READ_IMPLIES_EXEC"}, {0x800000, "ADDR_LIMIT_32BIT"}, {0x1000000, "SHORT_INODE"},
	{0x2000000, "WHOLE_SECONDS"}, {0x4000000, "STICKY_TIMEOUTS"}, {0x8000000, "ADDR_LIMIT_3GB"},
}

// seccompModes are PR_SET_SECCOMP's.
var seccompModes = names{{1, "SECCOMP_MODE_STRICT"}, {2, "SECCOMP_MODE_FILTER"}}

// ambientOptions are PR_CAP_AMBIENT's.
var ambientOptions = names{{1, "PR_CAP_AMBIENT_IS_SET"}, {2, "PR_CAP_AMBIENT_RAISE"}, {3, "PR_CAP_AMBIENT_LOWER"}, {4, "PR_CAP_AMBIENT_CLEAR_ALL"}}

// rebootMagics are those of <linux/reboot.h>.
var rebootMagics = names{{0x28121969, "LINUX_REBOOT_MAGIC2"}, {0xfee1dead, "LINUX_REBOOT_MAGIC1"}}

// archCodes are those of <asm/prctl.h>.
var archCodes = names{{0x1001, "ARCH_SET_GS"}, {0x1002, "ARCH_SET_FS"}, {0x1003, "ARCH_GET_FS"}, {0x1004, "ARCH_GET_GS"}, {0x1011, "ARCH_GET_CPUID"}, {0x1012, "ARCH_SET_CPUID"}}

// socketCalls are those of <linux/net.h>.
var socketCalls = names{{1, "SYS_SOCKET"}, {2, "SYS_BIND"}, {3, "SYS_CONNECT"}, {4, "SYS_LISTEN"}, {5, "SYS_ACCEPT"}, {6, "SYS_GETSOCKNAME"}, {7, "SYS_GETPEERNAME"}, {8, "SYS_SOCKETPAIR"}, {9, "SYS_SEND"}, {10, "SYS_RECV"}, {11, "SYS_SENDTO"}, {12, "SYS_RECVFROM"}, {13, "SYS_SHUTDOWN"}, {14, "SYS_SETSOCKOPT"}, {15, "SYS_GETSOCKOPT"}, {16, "SYS_SENDMSG"}, {17, "SYS_RECVMSG"}, {18, "SYS_ACCEPT4"}, {19, "SYS_RECVMMSG"}, {20, "SYS_SENDMMSG"}}

// reader writes one argument of a call, which has it all, for people.
type reader func(v uint64, call *bpf.Data) string

// oneOf reads an int with one of these values.
func oneOf(n names) reader {
	return func(v uint64, _ *bpf.Data) string {
		if name := n.value(uint64(uint32(v))); name != "" {
			return name
		}
		return number(v)
	}
}

// mask reads flags.
func mask(n names) reader {
	return func(v uint64, _ *bpf.Data) string {
		if text := n.flags(v); text != "" {
			return text
		}
		return "0"
	}
}

func number(v uint64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

// anything is an argument of which there is nothing to know, such as an address.
func anything(v uint64, _ *bpf.Data) string { return number(v) }

// integer reads an int, which may be negative.
func integer(v uint64, _ *bpf.Data) string { return strconv.Itoa(int(int32(uint32(v)))) }

// directory reads a descriptor that may be AT_FDCWD (<linux/fcntl.h>).
func directory(v uint64, call *bpf.Data) string {
	if int32(uint32(v)) == -100 {
		return "AT_FDCWD"
	}
	return integer(v, call)
}

// open reads flags of open(2), whose values are not the same everywhere.
func open(v uint64, call *bpf.Data) string {
	if !isX86(call) {
		return number(v)
	}
	const mode, large = 3, 0x8000 // O_ACCMODE, and what a 64-bit O_LARGEFILE is
	text := [4]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[v&mode]
	if v &^= mode; v&large != 0 {
		text += "|O_LARGEFILE"
		v &^= large
	}
	if more := openFlags.flags(v); more != "" {
		text += "|" + more
	}
	return text
}

// mode reads the permissions, and the kind, of a file.
func mode(v uint64, _ *bpf.Data) string {
	if kind := fileKinds.value(v & 0xf000); kind != "" {
		return fmt.Sprintf("%s|%#03o", kind, v&^0xf000)
	}
	return fmt.Sprintf("%#03o", v)
}

// clone reads the flags of clone(2), whose lowest byte is a signal.
func clone(v uint64, _ *bpf.Data) string {
	text := cloneFlags.flags(v &^ 0xff)
	if v&0xff == 0 && text != "" {
		return text
	}
	signal := signals.value(v & 0xff)
	if signal == "" {
		signal = number(v & 0xff)
	}
	if text == "" {
		return signal
	}
	return text + "|" + signal
}

// socketType reads a type of socket(2) with its flags.
func socketType(v uint64, _ *bpf.Data) string {
	const kind = 0xf // SOCK_TYPE_MASK, <linux/net.h>
	text := socketTypes.value(v & kind)
	if text == "" {
		text = number(v & kind)
	}
	if more := socketFlags.flags(uint64(uint32(v)) &^ kind); more != "" {
		text += "|" + more
	}
	return text
}

// protocol reads the protocol of socket(2), by the family.
func protocol(v uint64, call *bpf.Data) string {
	switch addressFamilies.value(uint64(uint32(call.Args[0]))) {
	case "AF_NETLINK":
		return oneOf(netlinkProtocols)(v, call)
	case "AF_INET", "AF_INET6":
		return oneOf(protocols)(v, call)
	}
	return integer(v, call)
}

// personality reads a persona (<linux/personality.h>, of which package unix has
// nothing).
func personality(v uint64, _ *bpf.Data) string {
	v = uint64(uint32(v))
	if v == 0xffffffff { // which asks
		return number(v)
	}
	text := personas.value(v & 0xff)
	if text == "" {
		text = number(v & 0xff)
	}
	more := personaFlags.flags(v &^ 0xff)
	if more != "" {
		text += "|" + more
	}
	return text
}

// ioctl reads a request: 32 bits, which some programs extend by their sign.
func ioctl(v uint64, call *bpf.Data) string {
	if !isX86(call) {
		return number(v)
	}
	return oneOf(ioctlRequests)(v, call)
}

// prctl reads a second argument of prctl(2), of those options that have names for
// it.
func prctl(v uint64, call *bpf.Data) string {
	switch prctlOptions.value(uint64(uint32(call.Args[0]))) {
	case "PR_SET_PDEATHSIG":
		return oneOf(signals)(v, call)
	case "PR_SET_SECCOMP":
		return oneOf(seccompModes)(v, call)
	case "PR_CAP_AMBIENT":
		return oneOf(ambientOptions)(v, call)
	}
	return number(v)
}

// keyring reads a key's number, which may be a special one.
func keyring(v uint64, call *bpf.Data) string {
	switch keyctlCommands.value(uint64(uint32(call.Args[0]))) {
	case "KEYCTL_JOIN_SESSION_KEYRING", "KEYCTL_CAPABILITIES", "KEYCTL_DH_COMPUTE", "KEYCTL_SET_REQKEY_KEYRING", "KEYCTL_SESSION_TO_PARENT":
		return number(v)
	}
	return oneOf(keys)(v, call)
}

// signal reads a signal's number; 0 asks whether there is somebody.
func signal(v uint64, call *bpf.Data) string {
	if v == 0 {
		return "0"
	}
	return oneOf(signals)(v, call)
}

// magic reads the arguments of reboot(2) that are no command.
func magic(v uint64, call *bpf.Data) string {
	return oneOf(rebootMagics)(v, call)
}

// socketcall reads which call of sockets it is (<linux/net.h>).
func socketcall(v uint64, call *bpf.Data) string {
	return oneOf(socketCalls)(v, call)
}

// isX86 says that a call's constants are those of x86_64.
func isX86(call *bpf.Data) bool {
	a := archOf(call.Arch, call.Nr)
	return a != nil && (a.Name == "x86_64" || a.Name == "x86" || a.Name == "x32")
}

// signatures are the arguments of the calls that profiles talk about, as far as
// there is something to say. The others are written as numbers, without the zeros
// at the end.
var signatures = map[string][]reader{
	"arch_prctl":              {oneOf(archCodes)},
	"bpf":                     {oneOf(bpfCommands), anything, integer},
	"chmod":                   {anything, mode},
	"chroot":                  {anything},
	"clone":                   {clone},
	"creat":                   {anything, mode},
	"faccessat":               {directory, anything, mode},
	"fchmod":                  {integer, mode},
	"fchmodat":                {directory, anything, mode},
	"fcntl":                   {integer, oneOf(fcntlCommands)},
	"getrlimit":               {oneOf(resources)},
	"getsockopt":              {integer, oneOf(socketLevels), integer},
	"ioctl":                   {integer, ioctl},
	"keyctl":                  {oneOf(keyctlCommands), keyring},
	"kill":                    {integer, signal},
	"memfd_create":            {anything, mask(memfdFlags)},
	"mkdir":                   {anything, mode},
	"mkdirat":                 {directory, anything, mode},
	"mknod":                   {anything, mode, anything},
	"mknodat":                 {directory, anything, mode, anything},
	"mmap":                    {anything, anything, mask(protections), mask(mapFlags), integer, anything},
	"mount":                   {anything, anything, anything, mask(mountFlags), anything},
	"mprotect":                {anything, anything, mask(protections)},
	"name_to_handle_at":       {directory},
	"newfstatat":              {directory},
	"open":                    {anything, open, mode},
	"openat":                  {directory, anything, open, mode},
	"openat2":                 {directory},
	"open_by_handle_at":       {directory, anything, open},
	"personality":             {personality},
	"pidfd_send_signal":       {integer, signal},
	"pipe2":                   {anything, open},
	"pkey_mprotect":           {anything, anything, mask(protections), integer},
	"prctl":                   {oneOf(prctlOptions), prctl},
	"prlimit64":               {integer, oneOf(resources), anything, anything},
	"ptrace":                  {oneOf(ptraceRequests), integer, anything, anything},
	"reboot":                  {magic, magic, oneOf(rebootCommands)},
	"renameat2":               {directory, anything, directory},
	"rt_sigqueueinfo":         {integer, signal},
	"seccomp":                 {oneOf(seccompOperations), mask(seccompFlags), anything},
	"setns":                   {integer, mask(namespaces)},
	"setrlimit":               {oneOf(resources)},
	"setsockopt":              {integer, oneOf(socketLevels), integer},
	"socket":                  {oneOf(addressFamilies), socketType, protocol},
	"socketcall":              {socketcall, anything},
	"socketpair":              {oneOf(addressFamilies), socketType, protocol, anything},
	"statx":                   {directory},
	"tgkill":                  {integer, integer, signal},
	"tkill":                   {integer, signal},
	"umask":                   {mode},
	"umount2":                 {anything, mask(unmountFlags)},
	"unlinkat":                {directory},
	"unshare":                 {mask(namespacesAnd)},
	"userfaultfd":             {open},
	"utimensat":               {directory},
	"fchownat":                {directory},
	"execveat":                {directory},
	"linkat":                  {directory, anything, directory},
	"symlinkat":               {anything, directory},
	"readlinkat":              {directory},
	"accept4":                 {integer, anything, anything, mask(socketFlags)},
	"inotify_init1":           {open},
	"perf_event_open":         {anything, integer, integer, integer},
	"process_vm_readv":        {integer},
	"process_vm_writev":       {integer},
	"move_mount":              {directory, anything, directory},
	"open_tree":               {directory},
	"mount_setattr":           {directory},
	"quotactl":                {anything},
	"syslog":                  {integer},
	"add_key":                 {anything, anything, anything, anything, oneOf(keys)},
	"request_key":             {anything, anything, anything, oneOf(keys)},
	"pivot_root":              {anything, anything},
	"init_module":             {anything, integer},
	"finit_module":            {integer},
	"delete_module":           {anything, open},
	"setdomainname":           {anything, integer},
	"sethostname":             {anything, integer},
	"io_uring_setup":          {integer},
	"landlock_create_ruleset": {anything},
}

// namespacesAnd are the flags of unshare(2), which are not namespaces alone.
var namespacesAnd = append(names{{0x100, "CLONE_VM"}, {0x200, "CLONE_FS"}, {0x400, "CLONE_FILES"}, {0x800, "CLONE_SIGHAND"}, {0x10000, "CLONE_THREAD"}, {0x40000, "CLONE_SYSVSEM"}}, namespaces...)

// Decode writes a call with its arguments, for people, with names for constants as
// strace has them: "socket(AF_VSOCK, SOCK_STREAM, 0)". Addresses, and what has no
// name, are numbers.
func Decode(call *bpf.Data) string {
	name := Name(call.Arch, call.Nr)
	if _, short, found := strings.Cut(name, ":"); found {
		name = short
	}
	readers, known := signatures[name]
	if !known {
		return name + Arguments(call.Args)
	}
	n := len(call.Args)
	for n > len(readers) && call.Args[n-1] == 0 {
		n--
	}
	list := make([]string, n)
	for i := range list {
		read := anything
		if i < len(readers) {
			read = readers[i]
		}
		list[i] = read(call.Args[i], call)
	}
	return name + "(" + strings.Join(list, ", ") + ")"
}

// all are the names that an argument may be given by.
var all = func() map[string]uint64 {
	byName := map[string]uint64{"AT_FDCWD": ^uint64(99), "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_ACCMODE": 3, "O_LARGEFILE": 0x8000}
	for _, list := range []names{
		addressFamilies, bpfCommands, cloneFlags, namespaces, fcntlCommands, ioctlRequests, keyctlCommands, keys, mapFlags, memfdFlags, mountFlags, netlinkProtocols, openFlags,
		prctlOptions, protections, protocols, ptraceRequests, rebootCommands, resources, seccompFlags, seccompOperations, signals, socketFlags, socketLevels, socketTypes, unmountFlags,
		fileKinds, personas, personaFlags, seccompModes, ambientOptions, rebootMagics, archCodes, socketCalls,
	} {
		for _, c := range list {
			byName[c.name] = c.value
		}
	}
	return byName
}()

// constants reads those of x86_64 by their names, with | between them.
func constants(text string, a *arch.Arch) (uint64, bool) {
	if a == nil || a.Name != "x86_64" && a.Name != "x86" && a.Name != "x32" {
		return 0, false
	}
	value, found := uint64(0), strings.Contains(text, "|")
	for part := range strings.SplitSeq(text, "|") {
		v, known := all[strings.TrimSpace(part)]
		if !known {
			var err error
			if v, err = strconv.ParseUint(strings.TrimSpace(part), 0, 64); err != nil {
				return 0, false
			}
		}
		value |= v
		found = found || known
	}
	if a.Bits == 32 && a.Name != "x32" {
		value = uint64(uint32(value))
	}
	return value, found
}
