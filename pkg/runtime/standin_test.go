package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/install/deadline"
)

const (
	own      = `{"own": true}`
	standing = `{"standing": "in", "hooks": {"createRuntime": [{"args": ["` + announceArg0 + `"]}]}}`
)

// newBundle makes a bundle and returns its path and its config.json's inode.
func newBundle(t *testing.T) (string, uint64) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(own), 0o640); err != nil {
		t.Fatal(err)
	}
	return dir, inode(t, dir)
}

func inode(t *testing.T, bundle string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(bundle, configName), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func lock(t *testing.T, bundle string) *os.File {
	t.Helper()
	dir, err := lockBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// wantOwn checks that the bundle is as newBundle made it.
func wantOwn(t *testing.T, bundle string, ino uint64) {
	t.Helper()
	wantConfig(t, bundle, own)
	if got := inode(t, bundle); got != ino {
		t.Errorf("config.json is another file: inode %d, want %d", got, ino)
	}
}

func wantConfig(t *testing.T, bundle, want string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(bundle, configName))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("config.json is %s, want %s", got, want)
	}
	entries, err := os.ReadDir(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("bundle holds %v, want config.json alone", entries)
	}
}

func TestStandIn(t *testing.T) {
	bundle, ino := newBundle(t)
	dir := lock(t, bundle)
	s, err := place(dir, []byte(standing))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readConfig(dir, configName, 1000)
	if err != nil || string(got) != standing {
		t.Fatalf("while it stands in: %s, %v", got, err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	wantOwn(t, bundle, ino)
}

// A process can be killed between any two system calls of place and Restore;
// the next one that locks the bundle finds what each of them leaves.
func TestRecoverConfig(t *testing.T) {
	write := func(name string) func(*testing.T, string) {
		return func(t *testing.T, bundle string) {
			if err := os.WriteFile(filepath.Join(bundle, name), []byte(standing), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(t *testing.T, bundle string) {
		if err := os.Link(filepath.Join(bundle, configName), filepath.Join(bundle, originalName)); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(t *testing.T, bundle string) {
		if err := os.Rename(filepath.Join(bundle, draftName), filepath.Join(bundle, configName)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name  string
		steps []func(*testing.T, string)
	}{
		{"nothing", nil},
		{"draft", []func(*testing.T, string){write(draftName)}},
		{"draft, link", []func(*testing.T, string){write(draftName), link}},
		{"draft, link, rename", []func(*testing.T, string){write(draftName), link, rename}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bundle, ino := newBundle(t)
			for _, step := range tc.steps {
				step(t, bundle)
			}
			lock(t, bundle)
			wantOwn(t, bundle, ino)
		})
	}
}

// What is left in the place of config.json need not be whole.
func TestRecoverConfigFromAPart(t *testing.T) {
	for _, part := range []string{"", standing[:len(standing)/2], standing} {
		bundle, ino := newBundle(t)
		left(t, bundle, part)
		lock(t, bundle)
		wantOwn(t, bundle, ino)
	}
}

// The front's is a link to a descriptor, which another process may have for
// something else.
func TestRecoverConfigFromTheFront(t *testing.T) {
	another, _ := newBundle(t)
	other, err := os.Open(filepath.Join(another, configName))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, fd := range []int{int(other.Fd()), 900} {
		bundle, ino := newBundle(t)
		config := filepath.Join(bundle, configName)
		if err := os.Rename(config, filepath.Join(bundle, originalName)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", fd), config); err != nil {
			t.Fatal(err)
		}
		lock(t, bundle)
		wantOwn(t, bundle, ino)
	}
}

// An engine that writes another config.json wants that one, also where the
// bundle's own was never given back.
func TestRecoverConfigKeepsANewerOne(t *testing.T) {
	const newer = `{"newer": 1}`
	bundle, _ := newBundle(t)
	left(t, bundle, newer)
	lock(t, bundle)
	wantConfig(t, bundle, newer)
}

// left leaves a bundle with a text in the place of its config.json.
func left(t *testing.T, bundle, text string) {
	t.Helper()
	config := filepath.Join(bundle, configName)
	if err := os.Rename(config, filepath.Join(bundle, originalName)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The hook puts back what a dead attendant has left, also where the kernel has
// told of the death before it has released the attendant's lock.
func TestRecoverBundle(t *testing.T) {
	bundle, ino := newBundle(t)
	dir := lock(t, bundle)
	if _, err := place(dir, []byte(standing)); err != nil {
		t.Fatal(err)
	}
	recovered := make(chan error)
	go func() { recovered <- recoverBundle(bundle) }()
	if text, err := os.ReadFile(filepath.Join(bundle, configName)); err != nil || string(text) != standing {
		t.Errorf("under another's lock: %q, %v", text, err)
	}
	dir.Close()
	if err := <-recovered; err != nil {
		t.Fatal(err)
	}
	wantOwn(t, bundle, ino)
	if err := recoverBundle(filepath.Join(bundle, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent bundle: %v", err)
	}
}

func TestRestoreKeepsANewerConfig(t *testing.T) {
	const newer = `{"newer": 1}`
	for name, write := range map[string]func(path string) error{
		"written": func(path string) error { return os.WriteFile(path, []byte(newer), 0o600) },
		"renamed": func(path string) error {
			other := filepath.Join(t.TempDir(), "other")
			if err := os.WriteFile(other, []byte(newer), 0o600); err != nil {
				return err
			}
			return os.Rename(other, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, _ := newBundle(t)
			s, err := place(lock(t, bundle), []byte(standing))
			if err != nil {
				t.Fatal(err)
			}
			if err := write(filepath.Join(bundle, configName)); err != nil {
				t.Fatal(err)
			}
			if err := s.Restore(); err != nil {
				t.Fatal(err)
			}
			wantConfig(t, bundle, newer)
		})
	}
}

// A config.json may be a symbolic link into a directory of the engine's.
func TestStandInForASymlink(t *testing.T) {
	bundle := t.TempDir()
	target := filepath.Join(t.TempDir(), "target.json")
	if err := os.WriteFile(target, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(bundle, configName)); err != nil {
		t.Fatal(err)
	}
	s, err := place(lock(t, bundle), []byte(standing))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != own {
		t.Errorf("the link's target was written to: %s, %v", got, err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(filepath.Join(bundle, configName)); err != nil || got != target {
		t.Errorf("config.json links to %q, %v; want %q", got, err, target)
	}
}

func TestLockBundleErrors(t *testing.T) {
	if _, err := lockBundle(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent bundle: %v", err)
	}
	if _, err := readConfig(lock(t, t.TempDir()), configName, 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bundle without config.json: %v", err)
	}
	bundle, _ := newBundle(t)
	if _, err := readConfig(lock(t, bundle), configName, 3); err == nil {
		t.Error("a config.json over the limit was read")
	}
}

// Whoever can read a bundle can have its lock, and holds a start up no longer than
// the limit.
func TestLockBundleHeld(t *testing.T) {
	before := deadline.Limit
	deadline.Limit = 50 * time.Millisecond
	defer func() { deadline.Limit = before }()
	bundle, _ := newBundle(t)
	held := lock(t, bundle)
	if dir, err := lockBundle(bundle); err == nil || !strings.Contains(err.Error(), "another process has held it") {
		t.Errorf("%v, %v", dir, err)
	}
	held.Close()
	lock(t, bundle)
}
