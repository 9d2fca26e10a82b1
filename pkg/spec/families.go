package spec

// Family is calls each of which does what the others do, so that a profile
// which denies one and leaves another has denied nothing.
type Family struct {
	// Does says what they do, "change a file's mode".
	Does  string
	Calls []string
	// Flags says that all of them can do what a condition on the arguments of
	// one of them forbids.
	Flags bool
	// Source is a manual page, or where in the kernel they meet.
	Source string
}

// Families returns the families that are known, always in the same order.
func Families() []Family { return families[:] }

var families = [...]Family{
	{"change a file's mode", []string{"chmod", "fchmod", "fchmodat", "fchmodat2"}, true, "fs/open.c, chmod_common"},
	{"change a file's owner", []string{"chown", "chown32", "lchown", "lchown32", "fchown", "fchown32", "fchownat"}, true, "fs/open.c, chown_common"},
	{"open a file", []string{"open", "creat", "openat", "openat2"}, true, "fs/open.c, do_sys_openat2"},
	{"attach a file system", []string{"mount", "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr"}, false, "fsopen(2), move_mount(2)"},
	{"detach a file system", []string{"umount", "umount2"}, true, "fs/namespace.c, ksys_umount"},
	{"read and write another process", []string{"ptrace", "process_vm_readv", "process_vm_writev"}, false, "process_vm_readv(2); kernel/ptrace.c, ptrace_may_access"},
	{"make a process", []string{"fork", "vfork", "clone", "clone3"}, false, "kernel/fork.c, kernel_clone"},
	{"make namespaces", []string{"clone", "clone3", "unshare"}, true, "clone(2), unshare(2); the flags of clone3 are behind a pointer"},
	{"start a program", []string{"execve", "execveat"}, true, "fs/exec.c, do_execveat_common"},
	{"make memory executable", []string{"mprotect", "pkey_mprotect"}, true, "mm/mprotect.c, do_mprotect_pkey"},
	{"map a file", []string{"mmap", "mmap2"}, true, "mm/mmap.c, ksys_mmap_pgoff"},
	{"control a descriptor", []string{"fcntl", "fcntl64"}, true, "fs/fcntl.c"},
	{"load a kernel module", []string{"init_module", "finit_module"}, false, "init_module(2)"},
	{"load another kernel", []string{"kexec_load", "kexec_file_load"}, false, "kexec_load(2)"},
	{"use keyrings", []string{"add_key", "keyctl", "request_key"}, false, "keyrings(7)"},
	{"set the clock", []string{"stime", "settimeofday", "adjtimex", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64"}, false, "kernel/time/timekeeping.c, do_settimeofday64 and do_adjtimex"},
	{"send a signal", []string{"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"}, false, "kernel/signal.c, do_send_sig_info"},
	{"use ports directly", []string{"iopl", "ioperm"}, false, "arch/x86/kernel/ioport.c"},
	{"change the user", []string{"setuid", "setuid32", "setreuid", "setreuid32", "setresuid", "setresuid32"}, false, "credentials(7)"},
	{"change the group", []string{"setgid", "setgid32", "setregid", "setregid32", "setresgid", "setresgid32"}, false, "credentials(7)"},
	{"change supplementary groups", []string{"setgroups", "setgroups32"}, false, "credentials(7)"},
	{"link a file", []string{"link", "linkat"}, false, "fs/namei.c, do_linkat"},
	{"make a symbolic link", []string{"symlink", "symlinkat"}, false, "fs/namei.c, do_symlinkat"},
	{"rename a file", []string{"rename", "renameat", "renameat2"}, false, "fs/namei.c, do_renameat2"},
	{"remove a file", []string{"unlink", "unlinkat"}, false, "fs/namei.c, do_unlinkat"},
	{"make a directory", []string{"mkdir", "mkdirat"}, false, "fs/namei.c, do_mkdirat"},
	{"make a device", []string{"mknod", "mknodat"}, true, "fs/namei.c, do_mknodat"},
	{"set an extended attribute", []string{"setxattr", "lsetxattr", "fsetxattr", "setxattrat"}, false, "fs/xattr.c, do_setxattr"},
	{"manage quotas", []string{"quotactl", "quotactl_fd"}, false, "fs/quota/quota.c"},
}

// StandIn is a call that newer architectures do not have, and those that C
// libraries make there in its place.
type StandIn struct {
	Call string
	By   []string // the first one that the architecture has
}

// StandIns returns the stand-ins that are known, in the order of the names. The
// architectures without the older calls are those that have the table of
// include/uapi/asm-generic/unistd.h: aarch64, riscv64, loongarch64.
func StandIns() []StandIn { return standIns[:] }

var standIns = [...]StandIn{
	{"access", []string{"faccessat", "faccessat2"}},
	{"alarm", []string{"setitimer"}},
	{"chmod", []string{"fchmodat"}},
	{"chown", []string{"fchownat"}},
	{"creat", []string{"openat"}},
	{"dup2", []string{"dup3"}},
	{"epoll_create", []string{"epoll_create1"}},
	{"epoll_wait", []string{"epoll_pwait"}},
	{"eventfd", []string{"eventfd2"}},
	{"fork", []string{"clone"}},
	{"futimesat", []string{"utimensat"}},
	{"getdents", []string{"getdents64"}},
	{"getpgrp", []string{"getpgid"}},
	{"inotify_init", []string{"inotify_init1"}},
	{"lchown", []string{"fchownat"}},
	{"link", []string{"linkat"}},
	{"lstat", []string{"newfstatat", "statx"}},
	{"mkdir", []string{"mkdirat"}},
	{"mknod", []string{"mknodat"}},
	{"open", []string{"openat"}},
	{"pause", []string{"ppoll"}},
	{"pipe", []string{"pipe2"}},
	{"poll", []string{"ppoll"}},
	{"readlink", []string{"readlinkat"}},
	{"rename", []string{"renameat", "renameat2"}},
	{"rmdir", []string{"unlinkat"}},
	{"select", []string{"pselect6"}},
	{"signalfd", []string{"signalfd4"}},
	{"stat", []string{"newfstatat", "statx"}},
	{"symlink", []string{"symlinkat"}},
	{"unlink", []string{"unlinkat"}},
	{"utime", []string{"utimensat"}},
	{"utimes", []string{"utimensat"}},
	{"vfork", []string{"clone"}},
}
