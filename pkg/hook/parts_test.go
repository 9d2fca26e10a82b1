package hook

import (
	"strings"
	"testing"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
)

// What the running kernel does not have is refused before anything is installed.
func TestInstallable(t *testing.T) {
	const later = bpf.Return(0x00010000) // no kernel's action
	for name, f := range map[string]*filter.Filter{
		"the kernel does not have the action": {Program: bpf.Program{bpf.Ret(bpf.RetLog), bpf.Ret(later)}},
		"":                                    {Program: bpf.Program{bpf.Ret(bpf.RetLog), bpf.Ret(bpf.Errno(1)), bpf.Ret(bpf.RetUserNotif)}},
	} {
		_, err := Installable(f)
		if name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}
