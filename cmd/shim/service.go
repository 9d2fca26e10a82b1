//go:build linux

package main

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	runc "github.com/containerd/go-runc"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
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

// service is the runc shim's task service with the filter step.
type service struct{ taskapi.TTRPCTaskService }

func newService(ctx context.Context, publisher shim.Publisher, stop shutdown.Service) (*service, error) {
	inner, err := task.NewTaskService(ctx, publisher, stop)
	if err != nil {
		return nil, err
	}
	front, err := findFront()
	if err != nil {
		return nil, err
	}
	// NewTaskService has set the monitor that knows the shim's children.
	runc.Monitor = &monitor{ProcessMonitor: runc.Monitor, front: front}
	return &service{inner}, nil
}

// RegisterTTRPC offers the service to the daemon.
func (s *service) RegisterTTRPC(server *ttrpc.Server) error {
	taskapi.RegisterTTRPCTaskService(server, s)
	server.RegisterService("containerd.task.v2.Task", taskV2(s))
	return nil
}
