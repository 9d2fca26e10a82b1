package runtime

import (
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/record"
)

// recording returns the hook that starts a recorder of the container's calls,
// where an annotation asks for one. It is `seccomp-hook`, beside this program,
// which knows how.
func (w *wrapper) recording(config *bundle.Config) ([]bundle.Hook, error) {
	value, asked := config.Annotation(record.Annotation)
	if !asked {
		return nil, nil
	}
	if _, _, err := record.ParseAnnotation(value); err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	path := w.hookPath()
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("runtime: annotation %s: it takes seccomp-hook beside seccomp-runc: %w", record.Annotation, err)
	}
	args := []string{hookName, "record-hook"}
	for _, dir := range w.config.RecordDirs {
		args = append(args, "--record-dir", dir)
	}
	for _, dir := range w.config.ProfileDirs {
		args = append(args, "--profile-dir", dir)
	}
	return []bundle.Hook{{Stage: bundle.CreateRuntime, Hook: specs.Hook{Path: path, Args: args}}}, nil
}
