package record

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Annotation asks for a profile of what the container does, as
// oci-seccomp-bpf-hook has it: "of:/path" says where it is written to, and
// ";if:/path" which profile it begins with.
const Annotation = "io.containers.trace-syscall"

// DefaultDir is where profiles may be recorded to where the administrator
// does not say.
const DefaultDir = "/var/lib/seccomp-hook/recorded"

// ParseAnnotation reads the value of Annotation.
func ParseAnnotation(text string) (output, input string, err error) {
	for part := range strings.SplitSeq(text, ";") {
		kind, path, found := strings.Cut(strings.TrimSpace(part), ":")
		into := &output
		switch {
		case !found || kind != "of" && kind != "if":
			return "", "", fmt.Errorf("annotation %s: %q is neither of:PATH nor if:PATH", Annotation, part)
		case kind == "if":
			into = &input
		}
		path = strings.TrimSpace(path)
		switch {
		case *into != "":
			return "", "", fmt.Errorf("annotation %s: %s: twice", Annotation, kind)
		case !filepath.IsAbs(path) && (kind == "of" || !strings.HasPrefix(path, "builtin:")):
			return "", "", fmt.Errorf("annotation %s: %q is not an absolute path", Annotation, path)
		}
		*into = path
	}
	if output == "" {
		return "", "", fmt.Errorf("annotation %s: %w", Annotation, errNoOutput)
	}
	return output, input, nil
}

var errNoOutput = errors.New("of:PATH is missing")
