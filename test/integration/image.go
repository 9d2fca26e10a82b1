//go:build integration

package integration

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"
)

// Image writes a root filesystem as an OCI image archive of one layer, as
// `ctr images import` takes it, and returns its path.
func Image(t testing.TB, name, rootfs string, command ...string) string {
	t.Helper()
	dir := t.TempDir()
	layout := filepath.Join(dir, "layout")
	blobs := filepath.Join(layout, "blobs/sha256")
	must(t, os.MkdirAll(blobs, 0o755))
	type descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	blob := func(mediaType string, content any) descriptor {
		text, ok := content.([]byte)
		if !ok {
			var err error
			text, err = json.Marshal(content)
			must(t, err)
		}
		digest := fmt.Sprintf("%x", sha256.Sum256(text))
		must(t, os.WriteFile(filepath.Join(blobs, digest), text, 0o644))
		return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(text)}
	}
	tar := filepath.Join(dir, "layer.tar")
	MustCommand(t, "tar", "-C", rootfs, "-cf", tar, ".")
	text, err := os.ReadFile(tar)
	must(t, err)
	layer := blob("application/vnd.oci.image.layer.v1.tar", text)
	config := blob("application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": goruntime.GOARCH, "os": "linux",
		"config": map[string]any{"Cmd": command, "Env": []string{"PATH=/bin:/usr/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	manifest := blob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []descriptor{layer},
	})
	manifest.Annotations = map[string]string{"io.containerd.image.name": name}
	for file, content := range map[string]any{
		"oci-layout": map[string]string{"imageLayoutVersion": "1.0.0"},
		"index.json": map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifest}},
	} {
		text, err := json.Marshal(content)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(layout, file), text, 0o644))
	}
	archive := filepath.Join(dir, "image.tar")
	MustCommand(t, "tar", "-C", layout, "-cf", archive, ".")
	return archive
}
