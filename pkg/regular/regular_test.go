//go:build linux

package regular_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/regular"
)

// Nothing but a regular file of the size that is allowed is read, and nothing is
// waited for: neither the writer of a FIFO nor what it writes.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	fifo, writer := filepath.Join(dir, "fifo"), filepath.Join(dir, "written")
	for _, path := range []string{fifo, writer} {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, err := os.OpenFile(writer, os.O_RDWR, 0) // a writer that never writes
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	small, link := filepath.Join(dir, "small"), filepath.Join(dir, "link")
	if err := os.WriteFile(small, []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(small, link); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path  string
		limit int64
		says  string // "" where it is read
	}{
		{small, 8, ""},
		{link, 8, ""},
		{small, 7, "larger than 7 bytes"},
		{fifo, 8, "not a regular file"},
		{writer, 8, "not a regular file"},
		{"/dev/zero", 8, "not a regular file"},
		{dir, 8, "not a regular file"},
		{small + "x", 8, "no such file"},
	} {
		text, err := regular.ReadFile(tc.path, tc.limit)
		if (err == nil) != (tc.says == "") || err != nil && (!strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), tc.path)) {
			t.Errorf("%s: %q, %v; want %q", tc.path, text, err, tc.says)
		}
	}
}

func ExampleReadFile() {
	_, err := regular.ReadFile("/dev/null", 100)
	fmt.Println(err)
	// Output: /dev/null: not a regular file
}
