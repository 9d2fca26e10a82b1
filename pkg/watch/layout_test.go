//go:build linux && amd64

package watch

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/cilium/ebpf/btf"

	"seccomp-hook/pkg/install/live"
)

// types is a kernel that has these types alone.
func types(t *testing.T, list ...btf.Type) func() (*btf.Spec, error) {
	t.Helper()
	b, err := btf.NewBuilder(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() (*btf.Spec, error) { return btf.LoadSpecFromReader(bytes.NewReader(raw)) }
}

// TestOldKernels: what a kernel lacks is said, by an error that a caller can tell.
func TestOldKernels(t *testing.T) {
	word := &btf.Int{Name: "unsigned int", Size: 4}
	iterator := &btf.Struct{Name: "bpf_iter_link_info", Size: 4, Members: []btf.Member{{Name: "task", Type: word}}}
	for _, test := range []struct {
		name  string
		types func() (*btf.Spec, error)
		want  error
	}{
		{"without BTF", func() (*btf.Spec, error) { return nil, fs.ErrNotExist }, live.ErrNoBTF},
		{"before 5.5", types(t, word), live.ErrKernelTooOld},
		{"before 6.1", types(t, &btf.Struct{Name: "bpf_iter_link_info", Size: 4, Members: []btf.Member{{Name: "map", Type: word}}}), live.ErrKernelTooOld},
		{"with other members", types(t, iterator, &btf.Struct{Name: "pt_regs", Size: 4, Members: []btf.Member{{Name: "other", Type: word}}}), live.ErrKernelTooOld},
	} {
		if l, err := readLayout(hostABI, test.types); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, %v; want %v", test.name, l, err, test.want)
		} else {
			t.Log(err)
		}
	}
}
