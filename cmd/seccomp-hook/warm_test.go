package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWarm: folders and files are compiled once; a file that is named must be a
// profile, one that is found need not be.
func TestWarm(t *testing.T) {
	dir := workspace(t)
	root := "--root=" + filepath.Join(dir, "root")
	must := func(want string, code int, args ...string) {
		t.Helper()
		stdout, stderr, got := invoke(dir, "", append(args, root)...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: %d, %s%s\nwant %d and %q", args, got, stdout, stderr, code, want)
		}
	}
	profiles := filepath.Join(dir, "profiles")
	if err := os.MkdirAll(profiles, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"deny.json": denyProfile, "other.json": `{"a":1}`} {
		if err := os.WriteFile(filepath.Join(profiles, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must("@/profiles/deny.json: 1 filters, 1 of them compiled", 0, "warm", profiles)
	must("@/profiles/deny.json: 1 filters, 0 of them compiled", 0, "warm", profiles)
	must("1 of them compiled", 0, "warm", "--caps=all", filepath.Join(dir, "allow.json"))
	must("", 0, "warm", "--quiet", filepath.Join(dir, "nothing.json"))
	must("neither an OCI config.json", 1, "warm", filepath.Join(profiles, "other.json"))
	must("no such file", 1, "warm", "nosuch.json", profiles)
	must("unknown capability", 64, "warm", "--caps=CAP_X", profiles)

	must("filter  ", 0, "store", "list")
	must("2 stored: 0 proved again, 2 as written, 0 bad", 0, "store", "verify")
	entries, err := filepath.Glob(filepath.Join(dir, "root/store/*"))
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	if err := os.WriteFile(entries[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	must("filter: damaged", 1, "store", "verify")
	must("2 removed", 0, "store", "clear")
	must("0 stored", 0, "store", "verify")
}
