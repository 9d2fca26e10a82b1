package verify_test

import (
	"os"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

// TestSocketcallBehindTheStub: where a profile allows socket, and names no call of
// x86 above socketcall, runc's own program gives socketcall ENOSYS, not ALLOW: its
// stub does not count multiplexed names. So it is here. The program is the one
// that runc 1.5.2 with libseccomp 2.5.4 has attached in a container of this very
// profile (testdata/README.md).
func TestSocketcallBehindTheStub(t *testing.T) {
	text, err := os.ReadFile("testdata/socketcall-runc.bpf")
	if err != nil {
		t.Fatal(err)
	}
	var installed bpf.Program
	if err := installed.UnmarshalBinary(text); err != nil {
		t.Fatal(err)
	}
	profile, err := spec.Parse([]byte(`{
		"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
		"syscalls": [{"names": ["getppid", "socket"], "action": "SCMP_ACT_ALLOW"}]
	}`), "socketcall.json")
	if err != nil {
		t.Fatal(err)
	}
	native, _ := arch.ByName("x86_64")
	policy, err := profile.Resolve(spec.Target{Native: native})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify.Policy(policy, installed); err != nil || r.Outcome != verify.Equal {
		t.Errorf("%v %v", r, err)
	}
	x86, _ := arch.ByName("x86")
	nr, _ := x86.Number("socketcall")
	call := bpf.Data{Nr: nr, Arch: x86.Audit, Args: [6]uint64{1}} // SYS_SOCKET
	words := call.Words(bpf.Little)
	if got, err := installed.Run(&words); err != nil || got != bpf.Errno(38) {
		t.Errorf("runc's program gives %v %v", got, err)
	}
}
