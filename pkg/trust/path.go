//go:build linux

package trust

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may have (path_resolution(7)).
const maxLinks = 40

// Error says what on a path somebody else can change.
type Error struct {
	Path  string // the file or directory at fault
	Owner uint32
	Mode  uint32 // its permissions
}

func (e *Error) Error() string {
	return fmt.Sprintf("%q is owned by uid %d with mode %#o, and root alone must be able to write to it", e.Path, e.Owner, e.Mode)
}

// Path returns an *Error if anybody but root, and the user that this process is,
// could change what is found under a path: a file or directory on the way that is
// another one's, or that others may write to. Symbolic links are followed, and
// what leads to their targets counts as well. On the way a directory may be one
// like /tmp, from which nobody can take what is another one's (the sticky bit).
// What is not there is an error that wraps fs.ErrNotExist.
func Path(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at := "/"
	rest := strings.Split(path[1:], "/")
	links := 0
	for {
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return &os.PathError{Op: "lstat", Path: at, Err: err}
		}
		link := st.Mode&unix.S_IFMT == unix.S_IFLNK
		if err := check(at, &st, len(rest) > 0); err != nil {
			return err
		}
		if link {
			if links++; links > maxLinks {
				return &os.PathError{Op: "lstat", Path: path, Err: unix.ELOOP}
			}
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			rest = append(strings.Split(target, "/"), rest...)
			if at = filepath.Dir(at); strings.HasPrefix(target, "/") {
				at = "/"
			}
			continue
		}
		if len(rest) == 0 {
			return nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:] // ".." of what is no link is textual
	}
}

// check looks at one file on the way, or at the last one.
func check(path string, st *unix.Stat_t, onTheWay bool) error {
	kind := st.Mode & unix.S_IFMT
	others := st.Mode&0o022 != 0 && kind != unix.S_IFLNK
	if others && onTheWay && kind == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0 {
		others = false
	}
	own := st.Uid == 0 || int(st.Uid) == os.Geteuid() || st.Uid == overflowUID && !initial()
	if own && !others {
		return nil
	}
	return &Error{path, st.Uid, st.Mode &^ unix.S_IFMT}
}

// overflowUID is who owns a file in the eyes of a user namespace that does not
// know the owner, root of the host among them (user_namespaces(7)).
const overflowUID = 65534

// initial reports whether this process is in the initial user namespace, which
// maps every id to itself.
var initial = sync.OnceValue(func() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
})
