package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// folder makes a root filesystem; only what its order, time and umask would have
// changed depends on turn.
func folder(t *testing.T, turn int) string {
	t.Helper()
	dir := t.TempDir()
	files := []string{"b", "a", "c/d"}
	if turn > 0 {
		files = []string{"c/d", "a", "b"}
	}
	for _, name := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700|os.FileMode(turn*0o55)))
		must(t, os.WriteFile(path, []byte(name), 0o600|os.FileMode(turn*0o44)))
		must(t, os.Chtimes(path, time.Time{}, time.Unix(int64(turn)*1e6, 0)))
	}
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o700|os.FileMode(turn*0o55)))
	must(t, os.Symlink("a", filepath.Join(dir, "link")))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSameBytes: the same files and the same time give the same image, which has
// what the folders have.
func TestSameBytes(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	var first []byte
	for turn := range 2 {
		output := filepath.Join(t.TempDir(), "image")
		root := folder(t, turn)
		must(t, run([]string{"-output", output, "-name", "example.com:5000/x:1", "amd64=" + root, "arm64=" + root}))
		text, err := os.ReadFile(output + ".tar")
		must(t, err)
		if turn == 0 {
			first = text
		} else if !bytes.Equal(text, first) {
			t.Error("another archive")
		}
		outer, err := layout.ImageIndexFromPath(output)
		must(t, err)
		must(t, validate.Index(outer))
		manifest, err := outer.IndexManifest()
		must(t, err)
		if a := manifest.Manifests[0].Annotations; len(manifest.Manifests) != 1 || a["io.containerd.image.name"] != "example.com:5000/x:1" || a["org.opencontainers.image.ref.name"] != "1" {
			t.Errorf("%+v", manifest)
		}
		index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
		must(t, err)
		for i, architecture := range []string{"amd64", "arm64"} {
			want := "a -rwxr-xr-x a\nb -rw-r--r-- b\nc/ drwxr-xr-x \nc/d -rw-r--r-- c/d\nlink -> a Lrwxrwxrwx \n"
			if have := content(t, index, i, architecture); have != want {
				t.Errorf("have:\n%swant:\n%s", have, want)
			}
		}
	}
}

// content lists the layer of an image of the index.
func content(t *testing.T, index v1.ImageIndex, i int, architecture string) string {
	t.Helper()
	manifest, err := index.IndexManifest()
	must(t, err)
	descriptor := manifest.Manifests[i]
	image, err := index.Image(descriptor.Digest)
	must(t, err)
	config, err := image.ConfigFile()
	must(t, err)
	if descriptor.Platform.Architecture != architecture || config.Architecture != architecture {
		t.Errorf("image %d is for %v, and says %s", i, descriptor.Platform, config.Architecture)
	}
	layers, err := image.Layers()
	must(t, err)
	text, err := layers[0].Uncompressed()
	must(t, err)
	var b strings.Builder
	for r := tar.NewReader(text); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		name := h.Name
		if h.Linkname != "" {
			name += " -> " + h.Linkname
		}
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 1e9 {
			t.Errorf("%+v", h)
		}
		fmt.Fprintf(&b, "%s %v %s\n", name, h.FileInfo().Mode(), content)
	}
}

// TestWrongArguments: each is an error, not an image.
func TestWrongArguments(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "0")
	output := filepath.Join(t.TempDir(), "image")
	for _, arguments := range [][]string{
		{"-output", output, "-name", "x:1"},
		{"-output", output, "-name", "x:1", "amd64"},
		{"-output", output, "-name", "x:1", "amd64=" + output},
		{"-output", output, "amd64=/"},
	} {
		if err := run(arguments); err == nil {
			t.Errorf("%q is taken", arguments)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "now")
	if err := run([]string{"-output", output, "-name", "x:1", "amd64=" + t.TempDir()}); err == nil {
		t.Error("a time that is none is taken")
	}
	if _, err := os.Stat(output); err == nil {
		t.Error("there is an image")
	}
}
