package explain

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// TestDecode: what is written is what strace writes, and reads as the call again.
func TestDecode(t *testing.T) {
	for _, c := range []struct{ call, text string }{
		{"socket(40, 1)", "socket(AF_VSOCK, SOCK_STREAM, 0)"},
		{"socket(16, 0x80003, 15)", "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)"},
		{"socket(2, 0x802, 17)", "socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_UDP)"},
		{"socket(99, 77)", "socket(0x63, 0xd|0x40, 0)"},
		{"socketpair(1, 5)", "socketpair(AF_UNIX, SOCK_SEQPACKET, 0, 0)"},
		{"x86:socketcall(1, 4096)", "socketcall(SYS_SOCKET, 0x1000)"},
		{"clone(0x10000011)", "clone(CLONE_NEWUSER|SIGCHLD)"},
		{"clone(0x3d0f00)", "clone(CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID)"},
		{"clone(17)", "clone(SIGCHLD)"},
		{"unshare(0x10020000)", "unshare(CLONE_NEWNS|CLONE_NEWUSER)"},
		{"setns(3, 0x40000000)", "setns(3, CLONE_NEWNET)"},
		{"personality(0x40000)", "personality(PER_LINUX|ADDR_NO_RANDOMIZE)"},
		{"personality(0xffffffff)", "personality(0xffffffff)"},
		{"personality(8)", "personality(PER_LINUX32)"},
		{"prctl(38, 1)", "prctl(PR_SET_NO_NEW_PRIVS, 0x1)"},
		{"prctl(22, 2, 4096)", "prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0x1000)"},
		{"ioctl(0, 0x5412, 4096)", "ioctl(0, TIOCSTI, 0x1000)"},
		{"openat(0xffffffffffffff9c, 4096, 0x80041, 0644)", "openat(AT_FDCWD, 0x1000, O_WRONLY|O_CREAT|O_CLOEXEC, 0644)"},
		{"open(4096, 0x410002)", "open(0x1000, O_RDWR|O_TMPFILE, 000)"},
		{"aarch64:openat(3, 4096, 0x4000)", "openat(3, 0x1000, 0x4000, 000)"}, // where that is another flag
		{"mknod(4096, 0x61b0, 1)", "mknod(0x1000, S_IFBLK|0660, 0x1)"},
		{"mount(0, 4096, 0, 0x5000)", "mount(0, 0x1000, 0, MS_BIND|MS_REC, 0)"},
		{"umount2(4096, 2)", "umount2(0x1000, MNT_DETACH)"},
		{"keyctl(1)", "keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0)"},
		{"keyctl(11, 0xfffffffd)", "keyctl(KEYCTL_READ, KEY_SPEC_SESSION_KEYRING)"},
		{"bpf(5, 4096, 144)", "bpf(BPF_PROG_LOAD, 0x1000, 144)"},
		{"ptrace(0x4206, 7)", "ptrace(PTRACE_SEIZE, 7, 0, 0)"},
		{"mprotect(4096, 4096, 5)", "mprotect(0x1000, 0x1000, PROT_READ|PROT_EXEC)"},
		{"kill(1, 9)", "kill(1, SIGKILL)"},
		{"reboot(0xfee1dead, 672274793, 0x1234567)", "reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART)"},
		{"seccomp(1, 1, 4096)", "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 0x1000)"},
		{"chroot(4096)", "chroot(0x1000)"},
		{"getppid", "getppid()"},
		{"0x1234:7(1)", "7(0x1)"},
	} {
		call, _, err := ParseCall(c.call, x86_64(t))
		if err != nil {
			t.Fatal(err)
		}
		got := Decode(&call)
		if got != c.text {
			t.Errorf("%s: %s, want %s", c.call, got, c.text)
		}
		a := archOf(call.Arch, call.Nr)
		if a == nil {
			continue
		}
		if again, _, err := ParseCall(a.Name+":"+got, x86_64(t)); err != nil || again != call {
			t.Errorf("%s reads as %+v, %v; it is %+v", got, again, err, call)
		}
	}
}

// TestDecodeAll: whatever the arguments, what is written reads as a call whose
// arguments are the same to the kernel: of an int the lower half.
func TestDecodeAll(t *testing.T) {
	a := x86_64(t)
	r := rand.New(rand.NewPCG(1, 2))
	for name := range signatures {
		nr, known := a.Number(name)
		if !known && name != "socketcall" {
			t.Errorf("x86_64 has no call %s", name)
		}
		for range 200 {
			call := bpf.Data{Arch: a.Audit, Nr: nr}
			for i := range call.Args {
				call.Args[i] = uint64(uint32(1)<<r.IntN(32)>>r.IntN(2) | uint32(r.IntN(64)))
			}
			text := Decode(&call)
			again, _, err := ParseCall(text, a)
			if err != nil {
				t.Errorf("%+v: %s: %v", call, text, err)
				break
			}
			for i := range call.Args {
				if uint32(again.Args[i]) != uint32(call.Args[i]) {
					t.Errorf("%+v: %s reads as %+v", call, text, again)
					break
				}
			}
		}
	}
}

// TestConstants: names are those of one architecture's calls, and no number is
// taken for one.
func TestConstants(t *testing.T) {
	for _, text := range []string{"s390x:socket(AF_VSOCK)", "socket(AF_NONE)", "socket(AF_VSOCK|)", "socket(AF_VSOCK|x)"} {
		if call, _, err := ParseCall(text, x86_64(t)); err == nil {
			t.Errorf("%s is %+v", text, call)
		}
	}
	if a, _ := arch.ByName("x86"); a != nil {
		call, _, err := ParseCall("x86:openat(AT_FDCWD)", x86_64(t))
		if want := uint64(0xffffff9c); err != nil || call.Args[0] != want {
			t.Errorf("%#x, %v; want %#x", call.Args[0], err, want)
		}
	}
}

func ExampleDecode() {
	fmt.Println(Decode(&bpf.Data{Arch: auditX86_64, Nr: 41, Args: [6]uint64{40, 1}}))
	// Output: socket(AF_VSOCK, SOCK_STREAM, 0)
}
