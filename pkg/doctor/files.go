//go:build linux

package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"time"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/runtime"
)

// state is the folder that containers are published in. Whoever can write to it
// decides what an exec installs.
func (h *Host) state(context.Context) []Finding {
	info, err := os.Lstat(h.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(OK, "", "%s is not there yet; the first container makes it", h.State)
	case err != nil:
		return one(Fail, "", "%s", line(err))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != uint32(os.Geteuid()) || info.Mode().Perm()&0o022 != 0 {
		return one(Fail, "stop the containers and remove it", "%s is not a folder that %s alone can write to", h.State, user())
	}
	return one(OK, "", "%s", h.State)
}

func user() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return "this user"
}

func (h *Host) configuration(context.Context) []Finding {
	c, err := runtime.LoadConfig(h.Getenv)
	if err != nil {
		return one(Fail, "mend it: seccomp-runc refuses every container until then", "%s", line(err))
	}
	var list []Finding
	for _, dir := range c.ProfileDirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			list = append(list, one(Note, "make it, or take it out of profile_dirs", "%s is not there: annotations can name no profile in it", dir)...)
		}
	}
	if c.DefaultProfile == "" {
		return append(list, one(OK, "", "no default profile: a container that asks for no filter has none")...)
	}
	request := filter.Request{Profile: c.DefaultProfile}
	if !strings.HasPrefix(c.DefaultProfile, "builtin:") {
		request.Text, err = os.ReadFile(c.DefaultProfile)
	}
	var f *filter.Filter
	if err == nil {
		f, err = filter.Build(request)
	}
	if err != nil {
		return append(list, one(Fail, "mend it: containers that have no profile of their own are refused until then", "default profile: %s", line(err))...)
	}
	return append(list, one(OK, "", "default profile %s: %d instructions, proved", c.DefaultProfile, len(f.Program))...)
}

// runtimes are runc and crun as they are found, and the one that is used.
func (h *Host) runtimes(ctx context.Context) []Finding {
	c, err := runtime.LoadConfig(h.Getenv)
	if err != nil {
		return nil // told by configuration
	}
	used, err := c.Runtime(h.Path, h.Self)
	var list []Finding
	if err != nil {
		list = one(Fail, "install runc or crun, or name one as real_runtime in "+runtime.ConfigFile, "%s", line(err))
	} else {
		list = h.version(ctx, used, OK, "used")
	}
	for _, name := range []string{"runc", "crun"} {
		if path, ok := h.find(name); ok && path != used {
			list = append(list, h.version(ctx, path, OK, "not used unless named")...)
		}
	}
	return list
}

// patience is how long a runtime may take to say its version.
const patience = 10 * time.Second

func (h *Host) version(ctx context.Context, path string, status Status, what string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return one(Fail, "reinstall it", "%s --version: %s", path, line(err))
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return one(status, "", "%s: %s, %s", path, first, what)
}

// find looks a program up on the host's path.
func (h *Host) find(name string) (string, bool) {
	for _, dir := range filepath.SplitList(h.Path) {
		path := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && executable(path) {
			return path, true
		}
	}
	return "", false
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// programs are the files that belong together, in one folder.
func (h *Host) programs(context.Context) []Finding {
	beside := func(name string) string { return filepath.Join(filepath.Dir(h.Self), name) }
	const install = "install the files of one version into one folder (docs/runtime.md)"
	front := beside(runtime.Name)
	target, err := filepath.EvalSymlinks(front)
	switch {
	case err != nil || !executable(front):
		return one(Note, "for engines, "+install, "no %s beside %s: only the hook and the command line", runtime.Name, h.Self)
	case target == h.Self:
		return one(Note, "build with gcc for the front that starts faster", "%s is a link to this program", front)
	case !executable(beside("seccomp-hook-runtime")):
		return one(Fail, install, "no seccomp-hook-runtime beside %s, which cannot start a container without it", front)
	case goruntime.GOARCH == "amd64" && !executable(beside("seccomp-hook-announce")):
		return one(Note, install, "no seccomp-hook-announce beside %s: creating a container takes longer", front)
	}
	return one(OK, "", "%s and what it starts", front)
}

// ours says what is wrong with a program of this project's that a configuration
// names, empty for nothing. A name without a folder is one of the engine's own.
func (h *Host) ours(value string) string {
	switch {
	case value == shimType:
		if _, ok := h.find(shim); ok || executable(filepath.Join(filepath.Dir(h.Self), shim)) {
			return ""
		}
		return "there is no " + shim + " on PATH"
	case strings.Contains(value, "/") && !executable(value):
		return "there is no such program"
	}
	return ""
}
