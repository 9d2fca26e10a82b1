package runtime

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/install"
	"seccomp-hook/pkg/install/orphan"
	"seccomp-hook/pkg/regular"
)

// readyArg0 is the argument 0 of the process that makes a ready filter for the
// front, which waits for it.
const readyArg0 = "seccomp-hook-ready"

// readyFD is the file that it writes to.
const readyFD = orphan.FirstFile

// readyMagic begins a ready filter; its last byte is the version of the form.
const readyMagic = "SHREADY\x02"

// ready makes the ready filter of the container that the command line makes, if
// its linux.seccomp alone decides on the filter. Where there is none, for whatever
// reason, it writes nothing and says nothing: the front then goes the way on which
// that is told.
func ready(args []string) int {
	w := &wrapper{Invocation: &Invocation{}, pid: os.Getpid(), stderr: os.Stderr}
	if w.prepare(args) != nil {
		return exitFailure
	}
	text, err := w.ready()
	if err == nil {
		_, err = unix.Pwrite(readyFD, text, 0)
	}
	if err != nil {
		return exitFailure
	}
	return 0
}

// ready returns a ready filter, and keeps it in the store. It is, in the machine's
// byte order: the magic; FNV-1a of 64 bits of all that follows; in 32 bits each the
// size of the key, the flags of seccomp(2), the number of instructions, and the
// sizes of the following four texts, and 0; the instructions as struct sock_filter;
// the key; the annotations as members of a JSON object; the same with those that
// have crun install the program, empty where crun is not known to; what crun reads
// in the place of linux.seccomp, empty where that must stay; and the filter, as it
// is published.
func (w *wrapper) ready() ([]byte, error) {
	config, err := parseConfig(w.bundle() + "/" + configName)
	if err != nil || config.Seccomp() == nil {
		return nil, err
	}
	key, stable, err := w.readyKey(config)
	if err != nil {
		return nil, err
	}
	root := readyRoot()
	decision, err := hook.Decide(config, hook.Options{Root: root, DefaultProfile: w.config.DefaultProfile, ProfileDirs: w.config.ProfileDirs})
	if err != nil {
		return nil, err
	}
	f := decision.Filter
	if f == nil || f.Profile != "config.json" || f.Listener != nil || !f.Verified || w.listens(config, f) {
		return nil, nil
	}
	installable, err := hook.Installable(f)
	if err != nil {
		return nil, err
	}
	stored, err := f.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w.warn(decision)
	r := readyFilter{key: key, flags: uint32(installable.Flags &^ install.TSync), filter: f, stored: stored} // there is one thread
	if r.crun = w.kind == Crun && takesProgram(w.real); r.crun {
		r.denying = denying(config.Seccomp())
	}
	if stable {
		w.keepReady(root, r.encode(filter.Hit), key)
	}
	return r.encode(filter.Miss), nil
}

// readyRoot returns the directory with the store that the front looks into: root of
// the host's, or the user's own.
func readyRoot() string {
	if hostRoot() {
		return hook.DefaultRoot
	}
	return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), filepath.Base(hook.DefaultRoot))
}

// keepReady keeps a ready filter for the next start. Without it that one makes it
// anew.
func (w *wrapper) keepReady(root string, text []byte, key string) {
	store, err := filter.Open(hook.StoreDir(root))
	if err == nil {
		defer store.Close()
		err = store.SaveReady(hash(key), text)
	}
	if err != nil {
		w.reporter().log("warning", "seccomp-hook: "+err.Error())
	}
}

// readyKey returns all that decides on a ready filter, as ready.c does, and whether
// a later version of one of the files could not be taken for this one.
func (w *wrapper) readyKey(config *bundle.Config) (key string, stable bool, err error) {
	stable = true
	version := func(path string) string {
		file, openErr := os.Open(path)
		if openErr != nil {
			err = openErr
			return ""
		}
		defer file.Close()
		v, old, statErr := versionOf(file, time.Now())
		stable = stable && old
		if statErr != nil {
			err = statErr
		}
		return v
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", false, os.NewSyscallError("uname", err)
	}
	configuration, runtime := "none", "runc"
	if path := os.Getenv(EnvConfig); path != "" {
		configuration = version(path)
	} else if _, err := os.Lstat(ConfigFile); err == nil {
		configuration = version(ConfigFile)
	}
	if w.kind == Crun {
		runtime = version(w.real)
	}
	seccomp := config.Seccomp()
	key = fmt.Sprintf("program %s\nkernel %s\nconfiguration %s\nruntime %s\nseccomp %d\n%s", version("/proc/self/exe"),
		unix.ByteSliceToString(name.Release[:]), configuration, runtime, len(seccomp), seccomp)
	return key, stable, err
}

// readyFilter is what a ready filter is made of.
type readyFilter struct {
	key    string
	flags  uint32
	filter *filter.Filter
	stored []byte
	crun   bool
	// denying is what crun reads as linux.seccomp, nil where that is its own.
	denying []byte
}

// denying returns a linux.seccomp without its rules: a runtime that did not install
// the program that comes with it would deny every call, so that no program could
// start. It returns nothing where the default action allows calls.
func denying(seccomp []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(seccomp, &members) != nil {
		return nil
	}
	switch string(members["defaultAction"]) {
	case `"SCMP_ACT_ERRNO"`, `"SCMP_ACT_KILL"`, `"SCMP_ACT_KILL_THREAD"`, `"SCMP_ACT_KILL_PROCESS"`, `"SCMP_ACT_TRAP"`:
		delete(members, "syscalls")
		text, _ := json.Marshal(members) // what was JSON is JSON
		return text
	}
	return nil
}

func (r *readyFilter) encode(store string) []byte {
	annotations := r.filter.Annotations()
	annotations[filter.AnnotationStore] = store
	plain, crun := members(annotations), []byte(nil)
	if r.crun {
		annotations[filter.AnnotationInstallMode] = hook.ModeCrun
		annotations[bpfAnnotation] = base64.StdEncoding.EncodeToString(sockFilters(r.filter))
		crun = members(annotations)
	}
	var text []byte
	for _, n := range []int{len(r.key), int(r.flags), len(r.filter.Program), len(plain), len(crun), len(r.denying), len(r.stored), 0} {
		text = binary.NativeEndian.AppendUint32(text, uint32(n))
	}
	text = append(text, sockFilters(r.filter)...)
	text = slices.Concat(text, []byte(r.key), plain, crun, r.denying, r.stored)
	return append(binary.NativeEndian.AppendUint64([]byte(readyMagic), hash(string(text))), text...)
}

// sockFilters returns a program as an array of struct sock_filter.
func sockFilters(f *filter.Filter) []byte {
	var text []byte
	for _, in := range f.Program {
		text = binary.NativeEndian.AppendUint16(text, in.Code)
		text = append(text, in.Jt, in.Jf)
		text = binary.NativeEndian.AppendUint32(text, in.K)
	}
	return text
}

// hash is FNV-1a of 64 bits.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // hash.Hash: never an error
	return h.Sum64()
}

// members renders a map as the members of a JSON object.
func members(m map[string]string) []byte {
	var list [][]byte
	for _, name := range slices.Sorted(maps.Keys(m)) {
		key, _ := json.Marshal(name) // strings cannot fail
		value, _ := json.Marshal(m[name])
		list = append(list, slices.Concat(key, []byte(":"), value))
	}
	return bytes.Join(list, []byte(","))
}

// versionTimeout bounds how long a runtime may take to say its version.
const versionTimeout = 10 * time.Second

// takesProgram reports whether a crun installs the program of an annotation: it is
// 0.18 or newer, and built with seccomp. It is found out once for each version of its
// file, which is in the key.
func takesProgram(path string) bool { return hasAnnotation(path) || saysVersion(path) }

// hasAnnotation reports whether the file of a crun has the name of the annotation in
// it, and what it says of itself where it is built with seccomp (crun, container.c and
// crun.c). To read it takes a thirtieth of what crun takes to start, with its
// libraries. Of a crun whose code is in a library, and of a script, it is false.
func hasAnnotation(path string) bool {
	file, err := os.OpenFile(path, regular.Flags, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	want := [][]byte{[]byte("\x7fELF"), []byte(bpfAnnotation + "\x00"), []byte("+SECCOMP \x00")}
	// In pieces, each with the end of the one before it.
	text, kept := make([]byte, 1<<16), 0
	for len(want) > 0 {
		n, err := file.Read(text[kept:])
		if n <= 0 || err != nil {
			return false
		}
		piece := text[:kept+n]
		if len(want) == 3 { // the beginning
			if !bytes.HasPrefix(piece, want[0]) {
				return false
			}
			want = want[1:]
		}
		want = slices.DeleteFunc(want, func(w []byte) bool { return bytes.Contains(piece, w) })
		kept = copy(text, piece[max(0, len(piece)-len(bpfAnnotation)-1):])
	}
	return true
}

// saysVersion asks crun.
func saysVersion(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	text, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return false
	}
	version, features, _ := strings.Cut(string(text), "\n")
	version, is := strings.CutPrefix(version, "crun version ")
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return '.'
		}
		return r
	}, rest), ".")
	x, errX := strconv.Atoi(major)
	y, errY := strconv.Atoi(minor)
	return is && errX == nil && errY == nil && (x > 0 || y >= 18) && slices.Contains(strings.Fields(features), "+SECCOMP")
}
