package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"seccomp-hook/pkg/regular"
	"seccomp-hook/pkg/trust"
)

// ConfigFile is the configuration that is read where the environment names no
// other.
const ConfigFile = "/etc/seccomp-hook/config.toml"

// Environment variables that decide over the configuration file.
const (
	EnvConfig      = "SECCOMP_HOOK_CONFIG"
	EnvRealRuntime = "SECCOMP_HOOK_REAL_RUNTIME"
)

// realRuntimeFlag is the one flag of our own; it goes before the runtime's.
const realRuntimeFlag = "--real-runtime"

// Config is what an administrator decides for all containers of a host.
type Config struct {
	// RealRuntime is the runtime that makes the containers: a path, or a name
	// that is looked up on PATH. Empty: runc, then crun.
	RealRuntime string `toml:"real_runtime"`
	// DefaultProfile is the profile of containers whose config.json has
	// neither a linux.seccomp nor an annotation that names one. Empty: such
	// containers get no filter, as under the real runtime alone.
	DefaultProfile string `toml:"default_profile"`
	// ProfileDirs are the directories that annotations may name profiles in.
	ProfileDirs []string `toml:"profile_dirs"`
	// RecordDirs are the directories that the annotation of record.Annotation
	// may have a profile written to. Empty: record.DefaultDir.
	RecordDirs []string `toml:"record_dirs"`
	// Annotation is what an annotation's profile does to linux.seccomp and to the
	// default: "both", or empty, lets each call have the stricter verdict,
	// "replace" has the annotation's alone.
	Annotation string `toml:"annotation"`
}

// annotationReplaces is the value of Config.Annotation that is not the default.
const annotationReplaces = "replace"

// LoadConfig reads the configuration file and the environment. A file that is
// named and absent, or that has a key which is not known, is an error: what an
// administrator wrote must not be silently without effect.
func LoadConfig(getenv func(string) string) (Config, error) {
	var c Config
	path, named := ConfigFile, false
	if p := getenv(EnvConfig); p != "" {
		path, named = p, true
	}
	f, err := os.OpenFile(path, regular.Flags, 0)
	switch {
	case err == nil:
		defer f.Close()
		if err := trust.Path(path); err != nil {
			return c, fmt.Errorf("runtime: configuration: %w", err)
		}
		version, stable, err := versionOf(f, time.Now()) // before it is read
		if err != nil {
			return c, fmt.Errorf("runtime: configuration: %w", err)
		}
		text, err := regular.Read(f, maxConfig)
		if err != nil {
			return c, fmt.Errorf("runtime: configuration %s: %w", path, err)
		}
		if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c); err != nil {
			var strict *toml.StrictMissingError
			if errors.As(err, &strict) {
				return c, fmt.Errorf("runtime: configuration %s: unknown key %q", path, strings.Join(strict.Errors[0].Key(), "."))
			}
			return c, fmt.Errorf("runtime: configuration %s: %w", path, err)
		}
		if stable {
			rememberRuntime(version, c.RealRuntime)
		}
	case named || !errors.Is(err, fs.ErrNotExist):
		return c, fmt.Errorf("runtime: configuration: %w", err)
	}
	switch c.Annotation {
	case "", "both", annotationReplaces:
	default:
		return c, fmt.Errorf("runtime: configuration %s: annotation %q: must be \"both\" or %q", path, c.Annotation, annotationReplaces)
	}
	if r := getenv(EnvRealRuntime); r != "" {
		c.RealRuntime = r
	}
	return c, nil
}

// cutRealRuntime takes our own flag off the front of args.
func cutRealRuntime(args []string) (realRuntime string, rest []string, err error) {
	if len(args) == 0 {
		return "", args, nil
	}
	if value, ok := strings.CutPrefix(args[0], realRuntimeFlag+"="); ok {
		return value, args[1:], nil
	}
	if args[0] != realRuntimeFlag {
		return "", args, nil
	}
	if len(args) < 2 {
		return "", nil, &UsageError{Reason: realRuntimeFlag + " needs a value"}
	}
	return args[1], args[2:], nil
}

// defaultPath is where the real runtime is looked for when PATH is not set:
// Podman hands its runtime hardly any environment for some commands (libpod,
// ConmonOCIRuntime.killContainer).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findRuntime returns the absolute path of the real runtime: name, which is
// looked up on path where it has no slash, or else the first known one on path.
// The runtime must not be this program again: that would never end.
func findRuntime(name, path, self string) (string, error) {
	if path == "" {
		path = defaultPath
	}
	candidates := []string{name}
	if name == "" {
		candidates = []string{"runc", "crun"}
	}
	for _, candidate := range candidates {
		found, err := lookUp(candidate, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("runtime: real runtime: %w", err)
		}
		real, err := filepath.EvalSymlinks(found)
		if err != nil {
			return "", fmt.Errorf("runtime: real runtime: %w", err)
		}
		if real == self || sameFile(real, filepath.Join(filepath.Dir(self), Name)) {
			return "", fmt.Errorf("runtime: real runtime %s is seccomp-hook itself", found)
		}
		return found, nil
	}
	return "", fmt.Errorf("runtime: real runtime: no %s on PATH (%s)", strings.Join(candidates, " or "), path)
}

// lookUp is exec.LookPath on a path of the caller's. Where there is no such
// file the error is fs.ErrNotExist.
func lookUp(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return filepath.Abs(name)
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // as os/exec, since Go 1.19: what is in the current directory is the caller's
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fs.ErrNotExist
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
