package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoReady says that a config.json has no ready filter: it has no linux.seccomp,
// that one notifies, or something else decides on the filter as well.
var ErrNoReady = errors.New("runtime: there is no ready filter")

// MakeReady has a program of this package, seccomp-hook-runtime as it is installed,
// make and keep the ready filter of a config.json for a real runtime, as the front
// does when it finds none. It is that program's, and used with no other. stderr gets
// its warnings.
//
// A ready filter is kept only if a change of the files that it depends on would be
// seen (versionOf), so what was installed a moment ago is waited for.
func MakeReady(ctx context.Context, program, real string, config []byte, stderr io.Writer) (*Ready, error) {
	if err := settle(ctx, program, ConfigFile, os.Getenv(EnvConfig), real); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "seccomp-hook-ready-")
	if err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the folder of temporary files
	if err := os.WriteFile(filepath.Join(dir, configName), config, 0o600); err != nil {
		return nil, fmt.Errorf("runtime: %w", err)
	}
	fd, err := unix.MemfdCreate(readyArg0, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	answer := os.NewFile(uintptr(fd), readyArg0)
	defer answer.Close()
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = []string{readyArg0, realRuntimeFlag, real, "create", "--bundle", dir, "ready"}
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{answer} // readyFD
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("runtime: make a ready filter: %s: %w", program, err)
	}
	text, err := io.ReadAll(io.NewSectionReader(answer, 0, 1<<21))
	if err != nil {
		return nil, fmt.Errorf("runtime: make a ready filter: %w", err)
	}
	if len(text) == 0 {
		return nil, ErrNoReady
	}
	return ParseReady(text)
}

// settle waits until files are as old as versionOf wants them; those that are not
// there have no version.
func settle(ctx context.Context, paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("runtime: %w", err)
		}
		st := info.Sys().(*syscall.Stat_t)
		select {
		case <-time.After(knownAge - time.Since(time.Unix(st.Ctim.Unix()))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
