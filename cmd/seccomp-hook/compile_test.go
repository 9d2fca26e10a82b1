package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

// TestFileThatCannotBeWritten: half a program is not left behind, and a device
// that refuses it stays.
func TestFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	full := errors.New("no space left on device")
	half := func(w io.Writer) error {
		if _, err := w.Write([]byte{6}); err != nil {
			return err
		}
		return full
	}
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for name, stays := range map[string]bool{file: false, pipe: true} {
		if err := writeFile(name, half); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(name); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFormats compares what compile writes with golden files, for a Filter that
// no compiler made.
func TestFormats(t *testing.T) {
	f := &filter.Filter{
		Program: bpf.Program{
			bpf.Load(bpf.OffArch),
			bpf.Jump(bpf.JEQ, 0xc000003e, 1, 0),
			bpf.Ret(bpf.RetKillThread),
			bpf.Load(bpf.OffNr),
			bpf.Jump(bpf.JGE, 0x40000000, 0, 1),
			bpf.Ret(bpf.Errno(38)),
			bpf.Ret(bpf.RetAllow),
		},
		Flags:      spec.Flags{Log: true},
		Listener:   &filter.Listener{Path: "/run/a<b>.sock", Metadata: "m"},
		Profile:    "p*/.json",
		Compiler:   "seccomp-hook 0",
		Verified:   true,
		Warnings:   []string{"profile p.json: odd"},
		Statistics: []precompute.Statistics{{Arch: "x86_64", Cached: 1, Constant: 2, Dynamic: 3, Total: 5}},
	}
	for format, write := range formats {
		var got bytes.Buffer
		if err := write(&got, f); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "format."+format)
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", format, got.Bytes(), want)
		}
	}
}
