//go:build libseccomp

package reference_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/reference"
)

func TestRefused(t *testing.T) {
	native, _ := arch.ByName("x86_64")
	one := func(op specs.LinuxSeccompOperator, index uint) []specs.LinuxSeccompArg {
		return []specs.LinuxSeccompArg{{Index: index, Value: 1, Op: op}}
	}
	for _, test := range []struct {
		name   string
		object specs.LinuxSeccomp
		want   string
	}{
		{"unknown default action", specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_DREAM"}, `default action: action "SCMP_ACT_DREAM" is unknown`},
		{"NOTIFY by default", specs.LinuxSeccomp{DefaultAction: specs.ActNotify}, "SCMP_ACT_NOTIFY cannot be used as default action"},
		{"NOTIFY on write", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"write"}, Action: specs.ActNotify}}}, "rule 0: SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		{"unknown architecture", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_Z80"}}, `architecture "SCMP_ARCH_Z80" is unknown`},
		{"other byte order", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchS390X}}, "architecture s390x: numerical argument out of domain"},
		{"unknown operator", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActTrap, Args: one("SCMP_CMP_ODD", 0)}}}, `rule 0 ("read"): operator "SCMP_CMP_ODD" is unknown`},
		{"seventh argument", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActTrap, Args: one(specs.OpEqualTo, 6)}}}, "syscalls only have up to 6 arguments"},
		{"empty name", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{""}, Action: specs.ActTrap}}}, `rule 0 (""): empty string is not a valid syscall`},
	} {
		if _, err := reference.Compile(&test.object, native); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	contradiction := specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"read"}, Action: specs.ActTrap, Args: one(specs.OpEqualTo, 0)},
		{Names: []string{"read"}, Action: specs.ActLog, Args: one(specs.OpEqualTo, 0)},
	}}
	if _, err := reference.Compile(&contradiction, native); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("contradiction: %v", err)
	}
}

// The listing is of the filter alone, and names every architecture.
func TestListing(t *testing.T) {
	native, _ := arch.ByName("x86_64")
	text, err := reference.Listing(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"getpid"}, Action: specs.ActAllow}}}, native)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# filter for arch x86_64 (", "# filter for arch x86 (", "if ($syscall == 39)", "if ($syscall == 20)", "action ERRNO(1);"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Where libseccomp makes a long program for the other byte order it has to copy
// returns, and gets the copies wrong.
func TestReturnsOfTheOtherByteOrder(t *testing.T) {
	native, _ := arch.ByName("s390x")
	object := specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range uint64(300) {
		object.Syscalls = append(object.Syscalls, specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 1, Value: i << 32, Op: specs.OpEqualTo}}})
	}
	p, err := reference.Compile(&object, native)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	var returns []bpf.Return
	copies := 0
	for _, in := range p {
		if in.Code == bpf.RET|bpf.K {
			copies++
			if r := bpf.Return(in.K); !slices.Contains(returns, r) {
				returns = append(returns, r)
			}
		}
	}
	slices.Sort(returns)
	if want := []bpf.Return{bpf.RetKillThread, bpf.Errno(1), bpf.Errno(38), bpf.RetAllow}; !slices.Equal(returns, want) {
		t.Errorf("returns %v", returns)
	}
	if copies < 6 {
		t.Errorf("only %d returns: none was copied", copies)
	}
}

func TestDiffering(t *testing.T) {
	x86_64, _ := arch.ByName("x86_64")
	x86, _ := arch.ByName("x86")
	names := []string{"read", "socket", "socketcall", "chown32", "arch_prctl", "openat2", "no_such_call"}
	if got, err := reference.Differing(names, x86_64, x86); err != nil || len(got) > 0 {
		t.Errorf("%v %v", got, err)
	}
	loongarch64, _ := arch.ByName("loongarch64")
	if got, err := reference.Differing(names, loongarch64); err == nil {
		t.Errorf("libseccomp knows loongarch64, but for %v", got)
	}
}

func TestVersion(t *testing.T) {
	if version, err := reference.Version(); err != nil || strings.Count(version, ".") != 2 {
		t.Errorf("%q %v", version, err)
	}
}
