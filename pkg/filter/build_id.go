package filter

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
)

// version is set by the linker to what git describe says:
// -ldflags "-X seccomp-hook/pkg/filter.version=v1.2.3".
var version string

// Version returns the version of this program: the linker's, or else the
// module's, "devel" where there is none.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// buildID names the build that made a stored Filter. The programs of one
// commit share their entries. One that was built from changed sources is known
// only by its file, so that yesterday's compiler is never asked.
var buildID = sync.OnceValues(func() (string, error) {
	if version != "" && version != "unknown" && !strings.HasSuffix(version, "-dirty") {
		return version, nil
	}
	info, err := os.Stat("/proc/self/exe")
	if err != nil {
		return "", fmt.Errorf("filter: this program's file: %w", err)
	}
	s := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("devel %d:%d %d %d.%09d", s.Dev, s.Ino, s.Size, s.Ctim.Sec, s.Ctim.Nsec), nil
})
