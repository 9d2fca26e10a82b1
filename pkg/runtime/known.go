package runtime

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// knownFile says which real runtime the configuration file names, so that the
// front (cmd/seccomp-runc, runtime.c) need not read TOML: what tells this very
// version of the file from any other, and in the next line the name, if any.
const knownFile = attendantDir + "/real-runtime"

// knownAge is how long a file must have been as it is. A change within the
// granularity of the clock that the kernel stamps files with would go unseen.
const knownAge = 2 * time.Second

// rememberRuntime writes knownFile, if that is not there already. It is done for
// speed: whatever is in the way, the front asks this program again.
func rememberRuntime(version, name string) {
	if !hostRoot() {
		return
	}
	want := version + "\n" + name
	if have, err := os.ReadFile(knownFile); err == nil && string(have) == want {
		return
	}
	draft, err := os.CreateTemp(attendantDir, ".real-runtime-") // mode 0600
	if err != nil {
		return
	}
	_, err = draft.WriteString(want)
	if closeErr := draft.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(draft.Name(), knownFile)
	}
	if err != nil {
		_ = os.Remove(draft.Name()) // it is of no use
	}
}

// versionOf returns what tells a version of an open file from any other, and
// whether the file is old enough for that.
func versionOf(f *os.File, now time.Time) (version string, stable bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", false, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return fmt.Sprintf("%d:%d:%d %d %d.%d %d.%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino, st.Size,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec), now.Sub(time.Unix(st.Ctim.Unix())) >= knownAge, nil
}
