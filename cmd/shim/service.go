//go:build linux

package main

import (
	"context"
	"path/filepath"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	runc "github.com/containerd/go-runc"
	"github.com/containerd/log"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/regular"
)

// registerTaskService makes the task service known to shim.Run, as the runc
// shim's package task/plugin does on import.
func registerTaskService() {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "task",
		Requires: []plugin.Type{plugins.EventPlugin, plugins.InternalPlugin},
		InitFn: func(ic *plugin.InitContext) (any, error) {
			publisher, err := ic.GetByID(plugins.EventPlugin, "publisher")
			if err != nil {
				return nil, err
			}
			stop, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
			if err != nil {
				return nil, err
			}
			return newService(ic.Context, publisher.(shim.Publisher), stop.(shutdown.Service))
		},
	})
}

// service is the runc shim's task service with the filter step. The step itself
// is the front's, which monitor puts before the runtime; here its outcome is
// checked and told.
type service struct {
	taskapi.TTRPCTaskService
	monitor *monitor
}

func newService(ctx context.Context, publisher shim.Publisher, stop shutdown.Service) (*service, error) {
	inner, err := task.NewTaskService(ctx, publisher, stop)
	if err != nil {
		return nil, err
	}
	front, err := findFront()
	if err != nil {
		return nil, err
	}
	// NewTaskService has set the one that knows the shim's children.
	m := newMonitor(runc.Monitor, front, starting)
	runc.Monitor = m
	return &service{inner, m}, nil
}

// RegisterTTRPC offers the service to the daemon. It cannot fail; shim.TTRPCService
// has it so.
//
//nolint:unparam // an interface's method
func (s *service) RegisterTTRPC(server *ttrpc.Server) error {
	taskapi.RegisterTTRPCTaskService(server, s)
	server.RegisterService(taskV2Name, taskV2(s))
	return nil
}

// maxConfig is the largest configuration that is read, in bytes.
const maxConfig = 64 << 20

// Create creates a container, and checks that its filter is attached.
func (s *service) Create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	if r.Checkpoint != "" {
		// CRIU restores a process with the filters that it had, but exec needs
		// to know the filter, and of whom.
		return nil, errgrpc.ToGRPCf(errdefs.ErrNotImplemented, "seccomp: container %s: restore from a checkpoint is not supported by %s", r.ID, runtimeName)
	}
	begin := time.Now()
	var err error
	if r.Options, err = runcOptions(r.Options); err != nil {
		return nil, errgrpc.ToGRPCf(errdefs.ErrInvalidArgument, "seccomp: container %s: %v", r.ID, err)
	}
	asked, err := regular.ReadFile(filepath.Join(r.Bundle, "config.json"), maxConfig)
	if err != nil {
		return nil, errgrpc.ToGRPCf(errdefs.ErrInvalidArgument, "seccomp: container %s: %v", r.ID, err)
	}
	response, err := s.TTRPCTaskService.Create(ctx, r)
	if err != nil {
		logger := log.G(ctx).WithField("container", r.ID)
		logger.WithError(err).Error("seccomp: create failed")
		if err := forget(hook.DefaultRoot, r.ID); err != nil {
			logger.WithError(err).Warn("seccomp: the published state stays")
		}
		return nil, failed(err)
	}
	attached, err := inspect(r.ID, int(response.Pid), asked, s.monitor.homeOf(r.ID))
	if err != nil {
		s.discard(ctx, r.ID)
		count("check")
		log.G(ctx).WithField("container", r.ID).WithError(err).Error("seccomp: the filter is not attached; the container has been deleted")
		return nil, errgrpc.ToGRPCf(errdefs.ErrInternal, "seccomp: container %s: check the filter: %v", r.ID, err)
	}
	attached.log(ctx, r.ID, time.Since(begin))
	s.monitor.setPlain(r.ID, attached.annotations == nil)
	return response, nil
}

// Delete deletes a container or an exec'd process. The front forgets what it has
// published where it deletes a container; to do that here saves starting it.
func (s *service) Delete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	response, err := s.TTRPCTaskService.Delete(ctx, r)
	if err == nil && r.ExecID == "" {
		s.monitor.setPlain(r.ID, false)
		if err := hook.ForgetEnded(hook.DefaultRoot, r.ID); err != nil {
			log.G(ctx).WithField("container", r.ID).WithError(err).Warn("seccomp: the published state stays")
		}
	}
	return response, err
}

// discard deletes a container that must not be started.
func (s *service) discard(ctx context.Context, id string) {
	// The daemon's wish may have run out of time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_, err := s.Kill(ctx, &taskapi.KillRequest{ID: id, Signal: uint32(unix.SIGKILL), All: true})
	if err == nil {
		_, err = s.Wait(ctx, &taskapi.WaitRequest{ID: id})
	}
	if err == nil {
		_, err = s.Delete(ctx, &taskapi.DeleteRequest{ID: id})
	}
	if err != nil {
		log.G(ctx).WithField("container", id).WithError(err).Error("seccomp: delete a container without its filter")
	}
}

// discardTimeout bounds the deletion of a container.
const discardTimeout = 30 * time.Second

// Start starts a container's program or an exec'd process.
func (s *service) Start(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	begin := time.Now()
	response, err := s.TTRPCTaskService.Start(ctx, r)
	fields := log.Fields{"container": r.ID, "took": time.Since(begin).Round(time.Microsecond).String()}
	if r.ExecID != "" {
		fields["exec"] = r.ExecID
	}
	if err != nil {
		log.G(ctx).WithFields(fields).WithError(err).Error("seccomp: start failed")
		return nil, failed(err)
	}
	log.G(ctx).WithFields(fields).Debug("seccomp: started")
	return response, nil
}
