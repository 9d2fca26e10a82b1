package record

import (
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/spec"
)

func made(t *testing.T, name string, args ...[6]uint64) Call {
	t.Helper()
	nr, found := arch.Native().Number(name)
	if !found {
		t.Fatal(name)
	}
	return Call{Token: arch.Native().Audit, Nr: nr, Arguments: args}
}

func docker(extend bool) *Base {
	return &Base{Request: filter.Request{Profile: "builtin:docker", Capabilities: spec.DefaultCapabilities()}, Extend: extend}
}

// What is recorded is allowed, by arguments where the base looks at them, and
// nothing else is.
func TestProfile(t *testing.T) {
	calls := []Call{made(t, "read"), made(t, "personality", [6]uint64{8}, [6]uint64{0x1234}), made(t, "clone", [6]uint64{0x11}, [6]uint64{0x1200011})}
	for name, base := range map[string]*Base{"alone": docker(false), "extended": docker(true)} {
		text, unnamed, err := Profile(calls, base)
		if err != nil || len(unnamed) > 0 {
			t.Fatalf("%s: %v, %v", name, err, unnamed)
		}
		r := base.Request
		r.Profile, r.Text = "recorded", text
		policy, profile, err := r.Policy()
		if err != nil {
			t.Fatal(err)
		}
		for call, want := range map[string]map[string]bpf.Return{
			"read(1)":             {"alone": bpf.RetAllow, "extended": bpf.RetAllow},
			"write(1)":            {"alone": bpf.Errno(1), "extended": bpf.RetAllow},
			"personality(0x8)":    {"alone": bpf.RetAllow, "extended": bpf.RetAllow},
			"personality(0x1234)": {"alone": bpf.RetAllow, "extended": bpf.RetAllow},
			"personality(0x1235)": {"alone": bpf.Errno(1), "extended": bpf.Errno(1)},
			"clone(0x11)":         {"alone": bpf.RetAllow, "extended": bpf.RetAllow},
			"clone(0x3d0f00)":     {"alone": bpf.RetAllow, "extended": bpf.RetAllow},
			"clone(0x10000011)":   {"alone": bpf.Errno(1), "extended": bpf.Errno(1)},
			// Newer than all that is recorded, on each architecture; so runc says ENOSYS.
			"perf_event_open(0x1)": {"alone": bpf.Errno(38), "extended": bpf.Errno(1)},
		} {
			d, given, err := explain.ParseCall(call, arch.Native())
			if err != nil {
				t.Fatal(err)
			}
			if got := explain.Why(policy, profile, &d, given).Cases[0].Return; got != want[name] {
				t.Errorf("%s: %s: %s, want %s", name, call, got, want[name])
			}
		}
		if name == "extended" && !strings.Contains(string(text), "archMap") {
			t.Error("the base's own properties are gone")
		}
	}
}

// A call that no profile can name is told.
func TestProfileUnnamed(t *testing.T) {
	_, unnamed, err := Profile([]Call{made(t, "read"), {Token: arch.Native().Audit, Nr: 5000}}, docker(false))
	if err != nil || len(unnamed) != 1 || unnamed[0].Nr != 5000 {
		t.Errorf("%v, %v", unnamed, err)
	}
}
