//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// shim is a containerd shim that serves a group of containers. It is asked as
// containerd asks it, without a containerd, whose own time would be measured
// too.
type shim struct {
	*scene
	dir    string // its bundles
	client task.TTRPCTaskService
	conn   net.Conn
	log    *os.File
}

const shimNamespace = "bench"

// addressIn finds a shim's address in its answer, which is JSON or protobuf.
var addressIn = regexp.MustCompile(`unix://[/\w.-]+`)

// startShim starts a shim. events is the address of somebody who takes its
// events.
func (s *scene) startShim(binary, events string) (*shim, error) {
	m := &shim{scene: s, dir: filepath.Join(s.dir, s.id())}
	id := filepath.Base(m.dir)
	bundle := filepath.Join(m.dir, id)
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), []byte("{}"), 0o600); err != nil {
		return nil, err
	}
	// The shim's log is read by whoever starts it.
	log := filepath.Join(bundle, "log")
	if err := unix.Mkfifo(log, 0o600); err != nil {
		return nil, os.NewSyscallError("mkfifo", err)
	}
	var err error
	if m.log, err = os.OpenFile(log, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, m.log) }() // until leave closes it
	cmd := exec.Command(binary, "-namespace", shimNamespace, "-id", id, "-address", filepath.Join(s.dir, "none"), "start")
	cmd.Dir = bundle
	cmd.Env = append(os.Environ(), "TTRPC_ADDRESS="+events, "MAX_SHIM_VERSION=2", "PATH="+filepath.Join(s.repository, "bin/tools")+":"+os.Getenv("PATH"))
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s start: %w", binary, err)
	}
	address := addressIn.FindString(string(answer))
	if m.conn, err = net.Dial("unix", strings.TrimPrefix(address, "unix://")); err != nil {
		return nil, fmt.Errorf("%s: answer %q: %w", binary, answer, err)
	}
	m.client = task.NewTTRPCTaskClient(ttrpc.NewClient(m.conn))
	s.staying++
	return m, nil
}

// leave ends the shim.
func (m *shim) leave() error {
	_, err := m.client.Shutdown(context.Background(), &task.ShutdownRequest{ID: filepath.Base(m.dir), Now: true})
	if errors.Is(err, ttrpc.ErrClosed) {
		err = nil // it has ended before it could answer
	}
	m.staying--
	return errors.Join(err, m.conn.Close(), m.log.Close())
}

// create makes a bundle and returns its container's id.
func (m *shim) create(text []byte) (string, error) {
	id := m.id()
	bundle := filepath.Join(m.dir, id)
	if err := os.Mkdir(bundle, 0o755); err != nil {
		return "", err
	}
	return id, os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600)
}

// start creates and starts a container and returns how long that took.
func (m *shim) start(id string) (time.Duration, error) {
	ctx := context.Background()
	begin := time.Now()
	if _, err := m.client.Create(ctx, &task.CreateTaskRequest{ID: id, Bundle: filepath.Join(m.dir, id)}); err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	_, err := m.client.Start(ctx, &task.StartRequest{ID: id})
	return time.Since(begin), err
}

// end waits for a container to end, after a signal if that is not 0, and deletes it.
func (m *shim) end(id string, signal unix.Signal) error {
	ctx := context.Background()
	if signal != 0 {
		if _, err := m.client.Kill(ctx, &task.KillRequest{ID: id, Signal: uint32(signal)}); err != nil {
			return fmt.Errorf("kill: %w", err)
		}
	}
	if _, err := m.client.Wait(ctx, &task.WaitRequest{ID: id}); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	if _, err := m.client.Delete(ctx, &task.DeleteRequest{ID: id}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return os.RemoveAll(filepath.Join(m.dir, id))
}

// run is a way: create and start of a container that ends at once.
func (m *shim) run(text []byte) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		id, err := m.create(text)
		if err != nil {
			return 0, err
		}
		took, err := m.start(id)
		if err != nil {
			return 0, err
		}
		return took, m.end(id, 0)
	}
}

// exec is a way: a process in a container, to its end.
func (m *shim) exec(id string, process []byte) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		ctx, exec := context.Background(), m.id()
		begin := time.Now()
		_, err := m.client.Exec(ctx, &task.ExecProcessRequest{ID: id, ExecID: exec, Spec: &anypb.Any{Value: process}})
		if err != nil {
			return 0, fmt.Errorf("exec: %w", err)
		}
		if _, err := m.client.Start(ctx, &task.StartRequest{ID: id, ExecID: exec}); err != nil {
			return 0, fmt.Errorf("start: %w", err)
		}
		status, err := m.client.Wait(ctx, &task.WaitRequest{ID: id, ExecID: exec})
		took := time.Since(begin)
		if err == nil && status.ExitStatus != 0 {
			err = fmt.Errorf("exec: exit status %d", status.ExitStatus)
		}
		if err != nil {
			return 0, err
		}
		_, err = m.client.Delete(ctx, &task.DeleteRequest{ID: id, ExecID: exec})
		return took, err
	}
}

// takeEvents listens for what shims tell containerd, and forgets it.
func (s *scene) takeEvents() (address string, stop func() error, err error) {
	address = filepath.Join(s.dir, "events")
	listener, err := net.Listen("unix", address)
	if err != nil {
		return "", nil, err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return "", nil, err
	}
	server.RegisterService("containerd.services.events.ttrpc.v1.Events", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
		"Forward": func(context.Context, func(any) error) (any, error) { return &emptypb.Empty{}, nil },
	}})
	go func() { _ = server.Serve(context.Background(), listener) }() // until stop
	return address, server.Close, nil
}

// shims prints the tables of containerd's shim and ours. Theirs is one that is
// started as ours is; since 2.3 it wants a message on its standard input.
func (s *scene) shims(out io.Writer, rounds int, only string) (err error) {
	const runs, execs = "create and start /bin/true, containerd's shim 2.1", "exec /bin/true, containerd's shim 2.1"
	if !strings.Contains(runs, only) && !strings.Contains(execs, only) {
		return nil
	}
	theirs, err := s.tool("tools/containerd-2.1/containerd-shim-runc-v2")
	if err != nil {
		return err
	}
	ours, err := s.tool("containerd-shim-seccomp-v2")
	if err != nil {
		return err
	}
	events, stop, err := s.takeEvents()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ways := []struct {
		name   string
		binary string
		native bool
		floor  bool // as in way
	}{
		{"none", theirs, false, false},
		{"native", theirs, true, false},
		{"our shim", ours, true, false},
		{"our shim, none", ours, false, true},
	}
	run, execute := &comparison{name: runs, spent: s.spent}, &comparison{name: execs, spent: s.spent}
	for i, w := range ways {
		m, err := s.startShim(w.binary, events)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.leave()) }() //nolint:gocritic // a few, all until the end
		text := map[string][]byte{}
		var process []byte
		for _, command := range []string{"/bin/true", "/bin/sleep"} {
			config := s.dockerSpec(fmt.Sprintf("shim-%d-%s", i, filepath.Base(command)))
			config.Process.Args = []string{command, "1000000"}
			if w.native {
				if err := native(config); err != nil {
					return err
				}
			}
			if text[command], err = json.Marshal(config); err != nil {
				return err
			}
			if process == nil {
				if process, err = json.Marshal(config.Process); err != nil {
					return err
				}
			}
		}
		run.ways = append(run.ways, way{name: w.name, once: m.run(text["/bin/true"]), floor: w.floor})
		id, err := m.create(text["/bin/sleep"])
		if err != nil {
			return err
		}
		if _, err := m.start(id); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.end(id, unix.SIGKILL)) }() //nolint:gocritic // before the shim
		execute.ways = append(execute.ways, way{name: w.name, once: m.exec(id, process), floor: w.floor})
	}
	for _, c := range []*comparison{run, execute} {
		if strings.Contains(c.name, only) {
			if err := c.report(out, rounds); err != nil {
				return err
			}
		}
	}
	return nil
}
