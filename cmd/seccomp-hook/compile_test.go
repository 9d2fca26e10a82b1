package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/precompute"
	"seccomp-hook/pkg/spec"
)

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
		Profile:    "p.json",
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
