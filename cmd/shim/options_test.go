//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/proto"
)

const optionsText = "SystemdCgroup = true\nBinaryName = '/opt/crun'\nRoot = '/r'\nIoUid = 3\n"

func TestOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "options.toml")
	if err := os.WriteFile(file, []byte(optionsText), 0o600); err != nil {
		t.Fatal(err)
	}
	want := &options.Options{SystemdCgroup: true, BinaryName: "/opt/crun", Root: "/r", IoUid: 3}
	for name, given := range map[string]any{
		"runc's": want,
		"text":   &runtimeoptions.Options{ConfigBody: []byte(optionsText)},
		"file":   &runtimeoptions.Options{ConfigPath: file},
	} {
		t.Run(name, func(t *testing.T) {
			packed, err := typeurl.MarshalAnyToProto(given)
			if err != nil {
				t.Fatal(err)
			}
			text, err := proto.Marshal(packed)
			if err != nil {
				t.Fatal(err)
			}
			if text, err = readOptions(bytes.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			got, err := shim.ReadRuntimeOptions[*options.Options](bytes.NewReader(text))
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestNoOptions(t *testing.T) {
	if text, err := readOptions(strings.NewReader("")); err != nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
	if got, err := runcOptions(nil); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestBadOptions(t *testing.T) {
	for name, given := range map[string]*runtimeoptions.Options{
		"unknown": {ConfigBody: []byte("SystemdGroup = true\n")},
		"type":    {ConfigBody: []byte("SystemdCgroup = 'yes'\n")},
		"syntax":  {ConfigBody: []byte("=\n")},
		"no file": {ConfigPath: "/nonexistent/options.toml"},
	} {
		packed, err := typeurl.MarshalAnyToProto(given)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := runcOptions(packed); err == nil || !strings.HasPrefix(err.Error(), "runtime options: ") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
