package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestTablesAreFresh generates the tables again and compares.
func TestTablesAreFresh(t *testing.T) {
	dir, version, err := findModule(sysModule)
	if errors.Is(err, errNoModule) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := generate(filepath.Join(dir, "unix"), version)
	if err != nil {
		t.Fatal(err)
	}
	checkedIn, err := os.ReadFile("../../tables.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, checkedIn) {
		t.Error("pkg/arch/tables.go is stale: run go generate ./pkg/arch")
	}
}

func TestSupplementErrors(t *testing.T) {
	for name, text := range map[string]string{
		"too few fields": "name x32\nread",
		"not a number":   "name x32\nread zero",
		"negative":       "name x32\nread -1",
		"too large":      "name x32\nread 2147483648",
	} {
		if _, err := parseSupplement(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestIsCall(t *testing.T) {
	for name, want := range map[string]bool{
		"read": true, "unused18": false, "reserved221": false,
		"arch_specific_syscall": false, "syscall_mask": false, "unusedly": true,
	} {
		if isCall(name) != want {
			t.Errorf("isCall(%q) = %v", name, !want)
		}
	}
}
