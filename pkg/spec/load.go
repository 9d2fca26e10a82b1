package spec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// MaxSize is the largest profile that is read, in bytes.
const MaxSize = 4 << 20

// maxYAML is the largest resource in YAML. To read it takes a hundred times its
// memory; and a cluster stores no resource of more than 1.5 MiB (etcd,
// --max-request-bytes).
const maxYAML = MaxSize / 4

// ErrTooLarge says that a profile is larger than MaxSize, or than 1 MiB in YAML.
var ErrTooLarge = errors.New("larger than 4 MiB, or than 1 MiB in YAML")

// Load reads a profile: a file, or where name begins with "builtin:" one that
// this package brings with it.
func Load(name string) (*Profile, error) {
	if strings.HasPrefix(name, "builtin:") {
		return Builtin(name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("spec: profile %s: %w", name, err)
	}
	defer file.Close()
	return Read(file, name)
}

// Read reads a profile from r; name is for messages.
func Read(r io.Reader, name string) (*Profile, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("spec: profile %s: %w", name, err)
	}
	return Parse(data, name)
}
