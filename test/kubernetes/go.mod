// Module kubernetes holds the tests that talk to containerd as the kubelet
// does, and those of the deployment files: Kubernetes' types stay out of the
// product's go.mod.
module seccomp-hook/test/kubernetes

go 1.26.0

require (
	google.golang.org/grpc v1.83.2
	k8s.io/cri-api v0.37.0
	seccomp-hook v0.0.0
)

require (
	github.com/opencontainers/runtime-spec v1.3.0 // indirect
	golang.org/x/net v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260526163538-3dc84a4a5aaa // indirect
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af // indirect
)

replace seccomp-hook => ../..
