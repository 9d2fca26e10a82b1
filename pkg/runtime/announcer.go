package runtime

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// announcerName is the small hook's file, beside this executable.
const announcerName = announceArg0

// announcement is the hook that tells the attendant which process init is: the
// small program, where it is installed, or this executable. A container's
// start waits for it, and the start of a Go program is most of what it would
// wait for.
func (w *wrapper) announcement() specs.Hook {
	h := specs.Hook{Path: w.self, Args: []string{announceArg0, w.socketPath()}, Env: faultVariables()}
	// In a build with faults they are in the Go program.
	if path := filepath.Join(filepath.Dir(w.self), announcerName); h.Env == nil && isAnnouncer(path) {
		h.Path, h.Args = path, append(h.Args, w.self)
	}
	return h
}

// isAnnouncer reports whether a file is the program that this executable was
// built with, and nobody but root can make it another.
func isAnnouncer(path string) bool {
	if announcer == nil {
		return false // not for this architecture
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 || st.Mode&0o022 != 0 || st.Mode&0o100 == 0 || st.Size != int64(len(announcer)) {
		return false
	}
	text := make([]byte, len(announcer))
	_, err = io.ReadFull(file, text)
	return err == nil && bytes.Equal(text, announcer)
}
