//go:build linux

package trust_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/trust"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPath(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string // the file at fault, below the folder; "" for none
		root  bool   // only root can do so
	}{
		{"nothing", func(*testing.T, string) {}, "", false},
		{"the file", func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "way/file"), 0o602)) }, "way/file", false},
		{"the file, its group", func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "way/file"), 0o620)) }, "way/file", false},
		{"the folder", func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "way"), 0o777)) }, "way", false},
		{"a folder like /tmp", func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "way"), 0o777|fs.ModeSticky)) }, "", false},
		{"another one's file", func(t *testing.T, dir string) { must(t, os.Chown(filepath.Join(dir, "way/file"), 1, 0)) }, "way/file", true},
		{"another one's folder", func(t *testing.T, dir string) { must(t, os.Chown(filepath.Join(dir, "way"), 1, 0)) }, "way", true},
		{"another one's file in a folder like /tmp", func(t *testing.T, dir string) {
			must(t, os.Chmod(filepath.Join(dir, "way"), 0o777|fs.ModeSticky))
			must(t, os.Chown(filepath.Join(dir, "way/file"), 1, 0))
		}, "way/file", true},
		{"a link", func(t *testing.T, dir string) { link(t, dir, filepath.Join(dir, "elsewhere/file")) }, "", false},
		{"a relative link", func(t *testing.T, dir string) { link(t, dir, "../elsewhere/./file") }, "", false},
		{"a link to another one's", func(t *testing.T, dir string) {
			link(t, dir, "../elsewhere/file")
			must(t, os.Chmod(filepath.Join(dir, "elsewhere"), 0o777))
		}, "elsewhere", false},
		{"another one's link", func(t *testing.T, dir string) {
			link(t, dir, "../elsewhere/file")
			must(t, os.Lchown(filepath.Join(dir, "way/file"), 1, 0))
		}, "way/file", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			dir := t.TempDir()
			for _, name := range []string{"way", "elsewhere"} {
				must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
				must(t, os.WriteFile(filepath.Join(dir, name, "file"), nil, 0o644))
			}
			tc.spoil(t, dir)
			err := trust.Path(filepath.Join(dir, "way/file"))
			var fault *trust.Error
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (!errors.As(err, &fault) || fault.Path != filepath.Join(dir, tc.want)):
				t.Errorf("error %v, want one about %s", err, tc.want)
			}
		})
	}
	if err := trust.Path(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	loop := filepath.Join(t.TempDir(), "loop")
	must(t, os.Symlink("loop", loop))
	if err := trust.Path(loop); err == nil {
		t.Error("a link to itself is trusted")
	}
}

// link replaces the file by a link.
func link(t *testing.T, dir, target string) {
	t.Helper()
	must(t, os.Remove(filepath.Join(dir, "way/file")))
	must(t, os.Symlink(target, filepath.Join(dir, "way/file")))
}

// Nobody but root could have written what the kernel says.
func ExamplePath() {
	fmt.Println(trust.Path("/proc/version"), trust.Path("/nowhere"))
	// Output: <nil> lstat /nowhere: no such file or directory
}
