//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	runcmanager "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	"github.com/containerd/containerd/v2/pkg/shim"
	runc "github.com/containerd/go-runc"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/hook"
)

// manager is the runc shim's manager, which speaks to older daemons as well.
type manager struct{ shim.Manager }

func newManager() shim.Manager { return &manager{runcmanager.NewShimManager(runtimeName)} }

// maxVersionEnv is set by daemons that read a shim's answer as JSON: containerd
// 1.7 and later (runtime/v2/shim, Command). Those before expect an address and
// nothing else.
const maxVersionEnv = "MAX_SHIM_VERSION"

// protocolVersion is the version of the task service that the daemon is told to
// use. containerd 1.7 knows none after 2, and all of 2.x know 2, which is what
// other shims (Kata Containers, gVisor) speak; see taskV2.
const protocolVersion = 2

// addressFile is where daemons before 2.0 look for the address of a container's
// shim, in the bundle. All daemons leave the socket of a shim that was killed
// where it is; with this file Stop can take it away.
const addressFile = "address"

// Start starts the shim's server, or finds the one of the container's group.
func (m *manager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	if err := convertInput(); err != nil {
		return shim.BootstrapParams{}, err
	}
	// Nobody would end a server whose address cannot be written: the room comes first.
	address, err := filepath.Abs(addressFile)
	if err == nil {
		err = os.WriteFile(address, make([]byte, unix.PathMax), 0o600)
	}
	if err != nil {
		return shim.BootstrapParams{}, fmt.Errorf("write the shim's address: %w", err)
	}
	params, err := m.Manager.Start(ctx, id, opts)
	if err != nil {
		return params, err
	}
	params.Version = protocolVersion
	if err := fill(address, params.Address); err != nil {
		return params, fmt.Errorf("write the shim's address: %w", err)
	}
	if os.Getenv(maxVersionEnv) == "" {
		if _, err := os.Stdout.WriteString(params.Address); err != nil {
			return params, err
		}
		os.Exit(0) // before shim.Run writes JSON; there is nothing else left to do
	}
	return params, nil
}

// fill writes a text to a file that has room for it, and has nothing else then.
func fill(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Truncate(int64(len(text))), file.Close())
}

// convertInput puts the options that the daemon wrote to standard input there in
// the type that the runc shim reads.
func convertInput() error {
	text, err := readOptions(os.Stdin)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil { // a pipe has room for 64 KiB
		return err
	}
	os.Stdin = r
	return w.Close()
}

// Stop deletes a container whose server is gone, or has deleted it already: daemons
// ask for it either way. Where nothing is published any more, or the front is gone,
// the runtime deletes it alone.
func (m *manager) Stop(ctx context.Context, id string) (shim.StopStatus, error) {
	if front, err := findFront(); err == nil && hook.Published(hook.DefaultRoot, id) {
		runc.Monitor = newMonitor(runc.Monitor, front, deleting)
	}
	// containerd removes the bundle afterwards.
	address, addressErr := shim.ReadAddress(filepath.Join("..", id, addressFile))
	status, err := m.Manager.Stop(ctx, id)
	if addressErr == nil && !shim.CanConnect(address) { // else it still serves others of its group
		if gone := shim.RemoveSocket(address); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return status, errors.Join(err, forget(hook.DefaultRoot, id))
}
