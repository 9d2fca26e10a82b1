//go:build integration

package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/filter"
)

// disk is a folder of a shim's with a file system of its own.
type disk struct {
	name, path   string
	files, pages int // more than a start or an exec needs
}

// TestContainerdFullDisk starts containers and execs by the shim with room for so many
// files, or so many pages, in each folder that it writes to, from none on. The program
// is filtered, or it does not run, and the error says that there was no room, and for
// which file. Nothing is left, and with room they are filtered again.
func TestContainerdFullDisk(t *testing.T) {
	var disks []disk
	d := StartDaemon(t, NewestDaemon(t), func(d *Daemon) {
		temporary := filepath.Join(d.Dir, "tmp")
		disks = []disk{
			{"published", filepath.Dir(stateDir), 10, 4},
			{"bundle", filepath.Join(d.Dir, "state"), 16, 6},
			{"temporary", temporary, 3, 2},
		}
		d.env = []string{"TMPDIR=" + temporary}
		d.argv = []string{"unshare", "--mount", "--propagation", "private", "sh", "-c",
			`for dir in "$1" "$2" "$3"; do mkdir -p "$dir" && mount -t tmpfs -o mode=0711,` + plenty + ` tmpfs "$dir" || exit; done; shift 3; exec "$@"`,
			"sh", disks[0].path, disks[1].path, disks[2].path}
	})
	long := d.Detached([]string{"--seccomp"}, "/bin/sleep", "1000")
	kinds := map[string]func() Result{
		"run": func() Result {
			id := d.NewID()
			r := d.Ctr(d.container([]string{"run", "--rm"}, []string{"--seccomp"}, id, tell)...)
			if strings.Contains(r.Stderr, "/shim-binary-path: ") || strings.Contains(r.Stderr, "bootstrap.json: ") {
				// containerd forgets the shim that it has started (core/runtime/v2/binary.go,
				// Start). It may wait for its log's reader, and heed no other signal then.
				for _, p := range processesOf([]string{id}) {
					_ = unix.Kill(p.pid, unix.SIGKILL) // it may have ended without its bundle
				}
				socket := sha256.Sum256([]byte(filepath.Join(d.Address(), d.Namespace, id))) // pkg/shim, SocketAddress
				_ = os.Remove(fmt.Sprintf("/run/containerd/s/%x", socket))                   // it may be gone
			}
			return r
		},
		"exec": func() Result { return d.Exec(long, tell...) },
	}
	sure := func(name string) {
		t.Helper()
		if r := kinds[name](); r.Code != tellFiltered {
			t.Errorf("%s with room: %s", name, r)
		}
	}
	var left string
	defer func() {
		if t.Failed() {
			t.Log(left)
		}
	}()
	for name, start := range kinds {
		sure(name) // it has all that stays, the store for instance
		for _, disk := range disks {
			outcomes := map[string]int{}
			before := d.listed(disk.path)
			for limit, most := range map[string]int{"nr_inodes": disk.files, "nr_blocks": disk.pages} {
				for room := range most + 1 {
					what := fmt.Sprintf("%s, %s: %s for %d more", name, disk.name, limit, room)
					d.leave(disk.path, limit, room)
					r := start()
					d.remount(disk.path, plenty)
					switch {
					case r.Code == tellFiltered:
						outcomes[filtered]++
					case r.Code == tellUnfiltered || r.Code == 0 || !noRoom.MatchString(r.Stderr):
						t.Errorf("%s: %s", what, r)
					default:
						outcomes[notStarted]++
					}
					Eventually(t, what+": nothing is left of\n"+before, func() bool { left = d.listed(disk.path); return left == before })
				}
			}
			sure(name)
			t.Logf("%s, %s: %v", name, disk.name, outcomes)
		}
	}
}

// tell is a program that tells by its exit status whether it is filtered.
var tell = []string{"/bin/sh", "-c", fmt.Sprintf(`grep -q 'Seccomp:.*2' /proc/self/status && exit %d; exit %d`, tellFiltered, tellUnfiltered)}

const (
	tellFiltered   = 99
	tellUnfiltered = 98
)

// noRoom matches errors that name the file for which there was no room. Where that is
// the runtime's log, log.json, the shim does not find it, or nothing in it.
var noRoom = regexp.MustCompile(`[./][-.\w]+:( link:)? no space left on device|did not terminate successfully`)

// plenty are the options of a tmpfs with room for all that a test does.
const plenty = "nr_inodes=100000,nr_blocks=100000"

// leave leaves so much room of a limit in a tmpfs of the daemon's.
func (d *Daemon) leave(dir, limit string, room int) {
	d.t.Helper()
	var st unix.Statfs_t
	must(d.t, unix.Statfs(d.seen(dir), &st))
	used := map[string]uint64{"nr_inodes": st.Files - st.Ffree, "nr_blocks": st.Blocks - st.Bfree}[limit]
	// 0 would be no limit.
	d.remount(dir, fmt.Sprintf("%s=%d", limit, max(1, used+uint64(room))))
}

// remount changes the options of a tmpfs of the daemon's.
func (d *Daemon) remount(dir, options string) {
	d.t.Helper()
	r := Command(d.t, "nsenter", "--mount=/proc/"+strconv.Itoa(d.process.Process.Pid)+"/ns/mnt", "--", "mount", "-o", "remount,"+options, dir)
	if r.Code != 0 {
		d.t.Fatal(r)
	}
}

// seen is the path under which a folder of the daemon's is seen outside of its mount
// namespace.
func (d *Daemon) seen(dir string) string {
	return filepath.Join("/proc", strconv.Itoa(d.process.Process.Pid), "root", dir)
}

// listed lists what is in a folder of the daemon's.
func (d *Daemon) listed(dir string) string {
	var paths []string
	_ = filepath.WalkDir(d.seen(dir), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it is gone
		}
		switch base := filepath.Base(path); {
		case base == "attendants", // the first that needs it makes it
			strings.HasPrefix(path, d.seen(filter.Dir)) && !strings.HasPrefix(base, "."), // kept
			filepath.Ext(path) == ".pid": // runc leaves it (utils_linux.go, createPidFile)
		default:
			paths = append(paths, path)
		}
		return nil
	})
	return strings.Join(paths, "\n")
}
