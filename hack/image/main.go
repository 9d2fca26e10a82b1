// Command image makes an OCI image for several architectures from a root
// filesystem of each: an image layout, and the same as one archive. The same files
// and the same time give the same bytes.
//
//	image [flags] ARCHITECTURE=FOLDER...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run writes what the arguments say, and prints the image's digest.
func run(arguments []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	output := flags.String("output", "", "layout to write; the archive is beside it, as .tar")
	name := flags.String("name", "", "image's `name` where the archive is imported")
	version := flags.String("version", "", "version of what is in it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *output == "" || *name == "" || flags.NArg() == 0 {
		return errors.New("-output, -name and an ARCHITECTURE=FOLDER must be given")
	}
	// https://reproducible-builds.org/specs/source-date-epoch
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	at := time.Unix(seconds, 0).UTC()
	index, err := newIndex(flags.Args(), *version, at)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	if err := write(index, *output, *name, at); err != nil {
		return fmt.Errorf("write %s: %w", *output, err)
	}
	fmt.Println(digest)
	return nil
}

// newIndex makes an image of each ARCHITECTURE=FOLDER.
func newIndex(folders []string, version string, at time.Time) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, each := range folders {
		architecture, folder, found := strings.Cut(each, "=")
		if !found {
			return nil, fmt.Errorf("%q is no ARCHITECTURE=FOLDER", each)
		}
		image, err := newImage(architecture, folder, version, at)
		if err != nil {
			return nil, fmt.Errorf("image of %s: %w", folder, err)
		}
		platform := &v1.Platform{OS: "linux", Architecture: architecture}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// newImage makes an image of one layer, which runs node.sh as the DaemonSet does.
func newImage(architecture, folder, version string, at time.Time) (v1.Image, error) {
	layer, err := newLayer(folder, at)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: at}
	image, err := mutate.Append(
		mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "make image"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", architecture, created
	config.Config = v1.Config{
		Entrypoint: []string{"/opt/seccomp-hook/node.sh"},
		Cmd:        []string{"run"},
		// nsenter finds the node's programs by it too.
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "seccomp-hook",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.licenses": "Apache-2.0 AND GPL-2.0-only", // the latter is busybox's
		},
	}
	return mutate.ConfigFile(image, config)
}

// write writes the layout, which holds the index and nothing else, and the archive.
func write(index v1.ImageIndex, output, name string, at time.Time) error {
	if err := os.RemoveAll(output); err != nil {
		return err
	}
	path, err := layout.Write(output, empty.Index)
	if err != nil {
		return err
	}
	// containerd imports the image by the first of the names, skopeo finds it by the
	// tag, which is what image-spec has the other one be (annotations.md).
	annotations := map[string]string{"io.containerd.image.name": name}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		annotations["org.opencontainers.image.ref.name"] = name[i+1:]
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(annotations)); err != nil {
		return err
	}
	text, err := archive(output, at)
	if err != nil {
		return err
	}
	return os.WriteFile(output+".tar", text, 0o644) //nolint:gosec // it is for everybody
}
