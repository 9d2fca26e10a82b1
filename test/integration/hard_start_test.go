//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/spec/spectest"
)

// callResults starts a container whose program makes calls, and returns what they got.
func callResults(t *testing.T, rt Runtime, calls [][]string, options ...Option) []string {
	t.Helper()
	b := NewBundle(t, append(options, WithVictim(Probe, slices.Concat(calls...)...))...)
	r := b.Run(rt)
	if r.Code != 0 {
		t.Fatalf("%s: %s", rt.Name, r)
	}
	var got []string
	for line := range strings.Lines(r.Stdout) {
		if strings.HasPrefix(line, "call ") {
			_, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
			got = append(got, result)
		}
	}
	if len(got) != len(calls) {
		t.Fatalf("%s: %d calls were made of %d:\n%s", rt.Name, len(got), len(calls), r)
	}
	return got
}

// hardCall has no arguments, so nobody looks at them but the filter; and no runtime
// makes it, so each starts whatever a profile says of it.
const hardCall = unix.SYS_MUNLOCKALL

// hardCalls are calls of hardCall as the probe makes them: for each rule one that
// meets it, as far as chance has it, and one with a bit changed; and some that are
// allowed.
func hardCalls(policy *spec.Policy) (made []bpf.Data, words [][]string) {
	r := rand.New(rand.NewPCG(15, 15))
	add := func(args [6]uint64) {
		line := []string{"call", strconv.Itoa(hardCall)}
		for _, a := range args {
			line = append(line, strconv.FormatUint(a, 10))
		}
		made = append(made, bpf.Data{Nr: hardCall, Arch: policy.Tokens[0].Audit, Args: args})
		words = append(words, line)
	}
	add([6]uint64{})
	for _, rule := range policy.Tokens[0].Lookup(hardCall).Rules {
		var args [6]uint64
		for i := range args {
			args[i] = r.Uint64()
		}
		for _, c := range rule.Conditions {
			for range 4 {
				if !c.Holds(&args) {
					args[c.Arg] = c.Value + r.Uint64N(3) - 1 | r.Uint64()&^c.Mask
				}
			}
		}
		add(args)
		args[r.IntN(6)] ^= 1 << r.IntN(64)
		add(args)
	}
	// Most of them meet some other rule. These meet none.
	for range 10_000 {
		args := [6]uint64{r.Uint64() >> r.IntN(64), r.Uint64() >> r.IntN(64), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		if policy.Evaluate(&bpf.Data{Nr: hardCall, Arch: policy.Tokens[0].Audit, Args: args}) == bpf.RetAllow {
			if add(args); len(made) > 120 {
				break
			}
		}
	}
	return made, words
}

// TestHardProfilesStart: each profile that no decision diagram can hold starts
// here as it does under the real runtime, and the same calls are allowed. Here a
// call that is denied gets the profile's errno; libseccomp may give it that of
// another rule which applies as well (docs/libseccomp.md).
func TestHardProfilesStart(t *testing.T) {
	native := arch.Native()
	for _, kind := range spectest.HardProfiles {
		seccomp, policy := onHardCall(t, kind.Profile(0, native))
		made, calls := hardCalls(policy)
		t.Run(kind.Name, func(t *testing.T) {
			eachFront(t, func(t *testing.T, plain, front Runtime) {
				native, ours := callResults(t, plain, calls, Seccomp(seccomp)), callResults(t, front, calls, Seccomp(seccomp))
				allowed := 0
				for i := range calls {
					verdict := policy.Evaluate(&made[i])
					want := "0"
					if verdict.Action() == bpf.RetErrno {
						want = strconv.Itoa(-int(verdict.Data()))
					} else {
						allowed++
					}
					if ours[i] != want {
						t.Errorf("%v: %s, the profile says %s", calls[i], ours[i], want)
					}
					if (ours[i] == "0") != (native[i] == "0") {
						t.Errorf("%v: %s under %s, %s under %s", calls[i], ours[i], front.Name, native[i], plain.Name)
					}
				}
				if allowed == 0 || allowed == len(calls) {
					t.Errorf("%d of %d calls are allowed", allowed, len(calls))
				}
			})
		})
	}
}

// TestTwoProfilesWithoutOneProgram: where linux.seccomp and an annotation's profile
// come to no single program, a front refuses the container; neither of the two is
// left out. With the hook the runtime installs the one and the hook the other.
func TestTwoProfilesWithoutOneProgram(t *testing.T) {
	errnos := [2]uint{11, 12}
	rule := func(action specs.LinuxSeccompAction, errno *uint, arg uint, value uint64) specs.LinuxSyscall {
		return specs.LinuxSyscall{
			Names: []string{"munlockall"}, Action: action, ErrnoRet: errno,
			Args: []specs.LinuxSeccompArg{{Index: arg, Value: value, Op: specs.OpEqualTo}},
		}
	}
	// None of the one's LOG excludes one of the other's ERRNO.
	own, other := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(200) {
		own.Syscalls = append(own.Syscalls, rule(specs.ActLog, nil, 0, 7*i))
		other.Syscalls = append(other.Syscalls, rule(specs.ActErrno, &errnos[1], 1, 7*i))
	}
	own.Syscalls = append(own.Syscalls, rule(specs.ActErrno, &errnos[0], 2, 5))
	text, err := json.Marshal(other)
	must(t, err)
	config := filepath.Join(t.TempDir(), "config.toml")
	must(t, os.WriteFile(filepath.Join(filepath.Dir(config), "other.json"), text, 0o600))
	must(t, os.WriteFile(config, fmt.Appendf(nil, "profile_dirs = [%q]", filepath.Dir(config)), 0o600))
	t.Setenv("SECCOMP_HOOK_CONFIG", config)
	calls := [][]string{call(hardCall, 1, 1, 5), call(hardCall, 1, 14), call(hardCall, 1, 1)}
	rt := Runc(t)

	b := NewBundle(t, Seccomp(own), Annotation("io.seccomp-hook.profile", "other.json"), WithVictim(Probe, slices.Concat(calls...)...))
	if r := b.Run(front(t, rt)); r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, "pairs of rules on one call") {
		t.Errorf("with the front: %s", r)
	}

	h := newHooked(t, "createRuntime", "other.json", Seccomp(own), WithVictim(Probe, append([]string{"status"}, slices.Concat(calls...)...)...))
	must(t, os.WriteFile(filepath.Join(h.profiles, "other.json"), text, 0o600))
	r := h.Run(rt)
	want := fmt.Sprintf("call %[1]d: -11\ncall %[1]d: -12\ncall %[1]d: 0\n", hardCall)
	if r.Code != 0 || r.Lines()["Seccomp_filters"] != "2" || !strings.HasSuffix(r.Stdout, want) {
		t.Errorf("with the hook: %s\n%s", r, h.logged())
	}
}

// onHardCall makes all rules of a profile speak of hardCall.
func onHardCall(t *testing.T, profile *spec.Profile) (*specs.LinuxSeccomp, *spec.Policy) {
	t.Helper()
	for i := range profile.Syscalls {
		profile.Syscalls[i].Names = []string{"munlockall"}
	}
	text, err := profile.Encode(spec.FormRuntime)
	must(t, err)
	var seccomp specs.LinuxSeccomp
	must(t, json.Unmarshal(text, &seccomp))
	policy, err := profile.Resolve(spec.Target{Native: arch.Native()})
	must(t, err)
	return &seccomp, policy
}

// TestStricterStarts: with an annotation beside linux.seccomp a call is allowed
// that both allow: what the real runtime allows with the one profile and with the
// other.
func TestStricterStarts(t *testing.T) {
	profile, err := spec.Builtin("builtin:docker")
	must(t, err)
	docker := dockerSeccomp(t, profile)
	one := uint(1)
	calls := [][]string{
		call(unix.SYS_GETPPID), call(unix.SYS_MKDIRAT, 999, 0), call(unix.SYS_UNSHARE, 0), call(unix.SYS_KEYCTL, 0),
		call(unix.SYS_SOCKET, 40), call(unix.SYS_SOCKET, 999), call(unix.SYS_PERSONALITY, 0x20001), call(unix.SYS_GETUID),
	}
	eachFront(t, func(t *testing.T, plain, front Runtime) {
		unfiltered, annotated := callResults(t, plain, calls), callResults(t, plain, calls, Seccomp(docker))
		for name, seccomp := range map[string]*specs.LinuxSeccomp{
			"a stricter one": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: &one},
			}},
			"one that overlaps": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"personality", "socket"}, Action: specs.ActErrno, ErrnoRet: &one, Args: []specs.LinuxSeccompArg{
					{Index: 0, Value: 41, Op: specs.OpGreaterThan},
				}},
				{Names: []string{"getuid"}, Action: specs.ActErrno, ErrnoRet: &one},
			}},
		} {
			alone := callResults(t, plain, calls, Seccomp(seccomp))
			both := callResults(t, front, calls, Seccomp(seccomp), Annotation("io.seccomp-hook.profile", "builtin:docker"))
			denied := [2]int{} // by the one that stands in config.json, by the annotation's
			for i := range calls {
				if alone[i] != unfiltered[i] {
					denied[0]++
				}
				if annotated[i] != unfiltered[i] {
					denied[1]++
				}
				allowed := alone[i] == unfiltered[i] && annotated[i] == unfiltered[i]
				if allowed != (both[i] == unfiltered[i]) {
					t.Errorf("%s: %v: %s with both, %s and %s with one, %s without", name, calls[i], both[i], alone[i], annotated[i], unfiltered[i])
				}
			}
			if denied[0] == 0 || denied[1] == 0 {
				t.Errorf("%s: one denies nothing: %v", name, denied)
			}
		}
	})
}

// dockerSeccomp is linux.seccomp as Docker makes it of a profile of its form: with
// the rules that count for the container.
func dockerSeccomp(t *testing.T, p *spec.Profile) *specs.LinuxSeccomp {
	t.Helper()
	native := arch.Native()
	target := spec.Target{Native: native, Capabilities: []string{}, Kernel: spec.KernelVersion{Major: 6, Minor: 1}}
	one := uint(1)
	seccomp := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &one, Architectures: []specs.Arch{specs.Arch(native.OCI)}}
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if s.Applies(&target) {
			text, err := (&spec.Profile{Name: "one", Default: p.Default, Syscalls: []spec.Syscall{{Names: s.Names, Return: s.Return, Args: s.Args}}}).Encode(spec.FormRuntime)
			must(t, err)
			var rule specs.LinuxSeccomp
			must(t, json.Unmarshal(text, &rule))
			seccomp.Syscalls = append(seccomp.Syscalls, rule.Syscalls...)
		}
	}
	if len(seccomp.Syscalls) == 0 {
		t.Fatal(fmt.Errorf("no rule of %s counts", p.Name))
	}
	return seccomp
}
