//go:build linux

package install

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// process is a process that cannot be mistaken for a later one with the same
// number.
type process struct {
	pid   int
	pidfd int
	dir   int // /proc/PID, which stays that process's even after its end
}

// openProcess opens /proc/PID of the process that pidfd refers to.
func openProcess(pid, pidfd int) (*process, error) {
	dir, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		if err == unix.ENOENT {
			return nil, ErrGone
		}
		return nil, fmt.Errorf("open /proc/%d: %w", pid, err)
	}
	p := &process{pid: pid, pidfd: pidfd, dir: dir}
	// The number was the process's own when /proc was opened, if it has not
	// ended since.
	if !p.alive() {
		unix.Close(dir)
		return nil, ErrGone
	}
	return p, nil
}

// alive reports whether the process has not ended: a pidfd becomes readable
// when it does (pidfd_open(2)).
func (p *process) alive() bool {
	poll := []unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 0)
		if err != unix.EINTR {
			return err == nil && n == 0
		}
	}
}

// kill ends the process, whatever it is doing.
func (p *process) kill() { _ = unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0) }

// read returns the contents of a file of /proc/PID.
func (p *process) read(name string) ([]byte, error) {
	fd, err := unix.Openat(p.dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fault("open", name, err)
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 4096)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, p.fault("read", name, err)
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
	}
}

// link returns where a link of /proc/PID leads.
func (p *process) link(name string) (string, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(p.dir, name, b)
	if err != nil {
		return "", p.fault("read", name, err)
	}
	return string(b[:n]), nil
}

// fault makes an error about a file of /proc/PID. A process that ends loses
// its memory, and so its exe, before its number.
func (p *process) fault(verb, name string, err error) error {
	if err == unix.ENOENT || err == unix.ESRCH {
		return ErrGone
	}
	return fmt.Errorf("%s /proc/%d/%s: %w", verb, p.pid, name, err)
}

// status is /proc/PID/task/TID/status.
type status struct {
	text []byte // each line begins with a newline
}

// status reads the status of one thread.
func (p *process) status(tid int) (status, error) {
	b, err := p.read("task/" + strconv.Itoa(tid) + "/status")
	return status{append([]byte("\n"), b...)}, err
}

// ownStatus reads the status of the calling thread.
func ownStatus() (status, error) {
	dir, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return status{}, fmt.Errorf("open /proc/self: %w", err)
	}
	defer unix.Close(dir)
	self := &process{pid: unix.Getpid(), dir: dir, pidfd: -1}
	return self.status(unix.Gettid())
}

// field returns the first word of a field, "" where the kernel does not have
// it.
func (s status) field(name string) string {
	// No value can hold a newline: the kernel escapes it in Name.
	_, rest, found := bytes.Cut(s.text, []byte("\n"+name+":"))
	if !found {
		return ""
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if words := bytes.Fields(line); len(words) > 0 {
		return string(words[0])
	}
	return ""
}

// number returns a field that is a decimal number, or -1.
func (s status) number(name string) int {
	n, err := strconv.Atoi(s.field(name))
	if err != nil {
		return -1
	}
	return n
}

// ended reports whether the thread is a zombie: a process's first thread stays
// as one while the others run.
func (s status) ended() bool { return s.field("State") == "Z" || s.field("State") == "X" }

// threads lists the process's threads. complete says that the list has as many
// as the kernel counts: a listing during which threads end can miss others
// (fs/proc/base.c, proc_task_readdir).
func (p *process) threads() (tids []int, complete bool, err error) {
	fd, err := unix.Openat(p.dir, "task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, p.fault("open", "task", err)
	}
	defer unix.Close(fd)
	buffer := make([]byte, 4096)
	for {
		n, err := unix.Getdents(fd, buffer)
		if err != nil {
			return nil, false, p.fault("read", "task", err)
		}
		if n == 0 {
			break
		}
		var names []string
		for rest := buffer[:n]; len(rest) > 0; {
			used, _, more := unix.ParseDirent(rest, -1, names)
			rest, names = rest[used:], more
		}
		for _, name := range names {
			if tid, err := strconv.Atoi(name); err == nil {
				tids = append(tids, tid)
			}
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, false, p.fault("stat", "task", err)
	}
	// proc_task_getattr adds the number of threads to a directory's two links.
	return tids, int(st.Nlink) == len(tids)+2, nil
}

// Entries of the auxiliary vector (<linux/auxvec.h>).
const (
	atIgnore      = 1
	atBase        = 7  // where the program's interpreter, the dynamic linker, is
	atEntry       = 9  // the program's entry point
	atSysinfo     = 32 // i386: the vDSO's entry for system calls
	atSysinfoEHDR = 33 // where the vDSO is
)

// auxiliary returns the auxiliary vector that the program was started with,
// for a process with pointers of word bytes.
func (p *process) auxiliary(word int) (map[uint64]uint64, error) {
	b, err := p.read("auxv")
	if err != nil {
		return nil, err
	}
	vector := make(map[uint64]uint64)
	for ; len(b) >= 2*word; b = b[2*word:] {
		vector[loadWord(b, word)] = loadWord(b[word:], word)
	}
	return vector, nil
}

func loadWord(b []byte, word int) uint64 {
	if word == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

// vdso returns where the vDSO is mapped.
func (p *process) vdso(word int) (uint64, error) {
	vector, err := p.auxiliary(word)
	if err != nil {
		return 0, err
	}
	if vector[atSysinfoEHDR] == 0 {
		return 0, fmt.Errorf("the process has no vDSO: %w", ErrUnsupported)
	}
	return vector[atSysinfoEHDR], nil
}

// readMemory reads the process's memory; n may be less than asked for, where
// the rest is not mapped, and is 0 with an error: the process may have been
// killed, or have executed a program.
func (p *process) readMemory(at uint64, b []byte) (n int, err error) {
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err = unix.ProcessVMReadv(p.pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(b)}}, 0)
	return max(n, 0), err
}

// writeMemory writes to the process's memory.
func (p *process) writeMemory(at uint64, b []byte) error {
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMWritev(p.pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(b)}}, 0)
	if err != nil {
		return fmt.Errorf("write %d bytes to process %d: %w", len(b), p.pid, err)
	}
	if n != len(b) {
		return fmt.Errorf("write %d bytes to process %d: only %d were written", len(b), p.pid, n)
	}
	return nil
}

// fileID tells one file from another, and one mount of it from another.
type fileID struct {
	mount uint64
	dev   [2]uint32
	ino   uint64
}

// root returns the process's root directory.
func (p *process) root() (fileID, error) {
	id, err := statFile(p.dir, "root")
	if err != nil {
		return id, p.fault("stat", "root", err)
	}
	return id, nil
}

// rootOf returns the root directory of a stopped tracee.
func rootOf(pid int) (fileID, error) {
	return statFile(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/root")
}

func statFile(dir int, path string) (fileID, error) {
	// STATX_MNT_ID_UNIQUE (6.8) is never given to another mount; before, the
	// number of a mount that is gone can be. 5.8 has the latter.
	const unique = 0x4000
	var st unix.Statx_t
	err := unix.Statx(dir, path, 0, unix.STATX_INO|unix.STATX_MNT_ID|unique, &st)
	if err != nil {
		return fileID{}, err
	}
	return fileID{mount: st.Mnt_id, dev: [2]uint32{st.Dev_major, st.Dev_minor}, ino: st.Ino}, nil
}

// mountsOf returns the mount namespace of a process; it is told from others
// while both exist.
func mountsOf(pid int) (fileID, error) { return namespaceOf(pid, "mnt") }

// processesOf returns the pid namespace that a process is in.
func processesOf(pid int) (fileID, error) { return namespaceOf(pid, "pid") }

func namespaceOf(pid int, kind string) (fileID, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/ns/" + kind
	id, err := statFile(unix.AT_FDCWD, path)
	if err != nil {
		return id, fmt.Errorf("stat %s: %w", path, err)
	}
	return id, nil
}
