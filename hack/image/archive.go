package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// newLayer makes a layer of the files of a folder.
func newLayer(folder string, at time.Time) (v1.Layer, error) {
	text, err := archive(folder, at)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}

// archive returns the files of a folder as a tar archive: by their names in
// order, all of that time and root's. Of a file's mode it has whether it may be
// executed, because the rest is the umask's of whoever built it.
func archive(folder string, at time.Time) ([]byte, error) {
	var text bytes.Buffer
	files, w := os.DirFS(folder), tar.NewWriter(&text)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error { // in lexical order
		if err != nil || path == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header := tar.Header{Name: path, ModTime: at, Mode: 0o755, Format: tar.FormatUSTAR}
		switch info.Mode().Type() {
		case fs.ModeDir:
			header.Typeflag, header.Name = tar.TypeDir, path+"/"
			return w.WriteHeader(&header)
		case fs.ModeSymlink:
			header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
			if header.Linkname, err = fs.ReadLink(files, path); err != nil {
				return err
			}
			return w.WriteHeader(&header)
		case 0:
			content, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
			if info.Mode()&0o100 == 0 {
				header.Mode = 0o644
			}
			if err := w.WriteHeader(&header); err != nil {
				return err
			}
			_, err = w.Write(content)
			return err
		}
		return fmt.Errorf("%s is neither a file, a folder nor a link: %v", path, info.Mode())
	})
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", folder, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archive %s: %w", folder, err)
	}
	return text.Bytes(), nil
}
