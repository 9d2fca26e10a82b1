package hook

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/install"
)

// TestPublishTicket: the text is the one that cmd/seccomp-runc reads;
// test/integration has what becomes of any other.
func TestPublishTicket(t *testing.T) {
	root := t.TempDir()
	init, err := InitOf(os.Getpid())
	must(t, err)
	f := install.Filter{Program: bpf.Program{bpf.Ret(bpf.Errno(1))}, Flags: install.Log | install.TSync}
	must(t, PublishTicket(root, "c1", init, "/run/runc", f)) // of a container that has ended
	must(t, publish(root, &specs.State{ID: "c1", Pid: init.PID}, allowAll))
	must(t, PublishTicket(root, "c1", init, "/run/runc", f))

	dir := filepath.Join(root, containersDir, "c1")
	filter, err := os.Stat(filepath.Join(dir, init.fileName()))
	must(t, err)
	path := filepath.Join(dir, init.ticketName("/run/runc"))
	got, err := os.ReadFile(path)
	must(t, err)
	text := binary.NativeEndian.AppendUint32(nil, uint32(filter.Size()))
	text = binary.NativeEndian.AppendUint32(text, uint32(install.Log)) // there is one thread
	text = binary.NativeEndian.AppendUint32(text, 1)
	text = binary.NativeEndian.AppendUint32(text, 0)
	in := f.Program[0]
	text = append(binary.NativeEndian.AppendUint16(text, in.Code), in.Jt, in.Jf)
	text = append(binary.NativeEndian.AppendUint32(text, in.K), "/run/runc"...)
	want := append(binary.NativeEndian.AppendUint64([]byte("SHEXEC\x00\x01"), hash(string(text))), text...)
	if !bytes.Equal(got, want) {
		t.Errorf("the ticket is\n%q, want\n%q", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if hash("a") != 0xaf63dc4c8601ec8c { // FNV's own test vector
		t.Errorf("FNV-1a of a is %#x", hash("a"))
	}

	must(t, Forget(root, "c1", init))
	if left, err := os.ReadDir(filepath.Join(root, containersDir)); err != nil || len(left) > 0 {
		t.Errorf("left are %v (%v)", left, err)
	}
}

// TestForgetTicketDraft: what whoever was killed while it published a ticket has left
// goes with the container.
func TestForgetTicketDraft(t *testing.T) {
	root := t.TempDir()
	init, err := InitOf(os.Getpid())
	must(t, err)
	for _, c := range []struct {
		name   string
		init   Init
		forget func() error
	}{
		{"by its runtime", init, func() error { return Forget(root, "c1", init) }},
		{"with its init", Init{deadProcess(t), 1}, func() error { return Remove(root, "c1") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, publish(root, &specs.State{ID: "c1", Pid: init.PID}, nil))
			must(t, os.WriteFile(filepath.Join(root, containersDir, "c1", "."+c.init.ticketName("/run/runc")), nil, 0o600))
			must(t, c.forget())
			if left, err := os.ReadDir(filepath.Join(root, containersDir)); err != nil || len(left) > 0 {
				t.Errorf("left are %v (%v)", left, err)
			}
		})
	}
}
