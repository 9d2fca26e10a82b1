//go:build linux

package main

import (
	"testing"

	v2 "github.com/containerd/containerd/api/runtime/task/v2"
	v3 "github.com/containerd/containerd/api/runtime/task/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The handlers of the third version serve the second: it has the same methods,
// and their messages have the same fields with the same numbers and types.
func TestTaskV2Messages(t *testing.T) {
	old, now := v2.File_github_com_containerd_containerd_api_runtime_task_v2_shim_proto, v3.File_github_com_containerd_containerd_api_runtime_task_v3_shim_proto
	served := taskV2(&service{}).Methods
	methods := old.Services().ByName("Task").Methods()
	if methods.Len() != len(served) {
		t.Errorf("%d methods, %d served", methods.Len(), len(served))
	}
	for i := range methods.Len() {
		method := methods.Get(i)
		if served[string(method.Name())] == nil {
			t.Errorf("%s is not served", method.Name())
			continue
		}
		other := now.Services().ByName("Task").Methods().ByName(method.Name())
		sameFields(t, method.Input(), other.Input())
		sameFields(t, method.Output(), other.Output())
	}
	if name := string(old.Services().ByName("Task").FullName()); name != taskV2Name {
		t.Errorf("the service is named %s", name)
	}
}

func sameFields(t *testing.T, old, now protoreflect.MessageDescriptor) {
	t.Helper()
	if old.Fields().Len() != now.Fields().Len() {
		t.Errorf("%s: %d fields, %d in the third version", old.Name(), old.Fields().Len(), now.Fields().Len())
		return
	}
	for i := range old.Fields().Len() {
		a := old.Fields().Get(i)
		b := now.Fields().ByNumber(a.Number())
		if b == nil || a.Name() != b.Name() || a.Kind() != b.Kind() || a.Cardinality() != b.Cardinality() {
			t.Errorf("%s: field %s differs", old.Name(), a.Name())
			continue
		}
		if a.Kind() == protoreflect.MessageKind && a.Message().ParentFile() == v2.File_github_com_containerd_containerd_api_runtime_task_v2_shim_proto {
			sameFields(t, a.Message(), b.Message())
		}
	}
}
