package spec_test

import (
	"slices"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// TestFamilies: the tables name calls that there are, each once in a family.
func TestFamilies(t *testing.T) {
	known := func(name string) {
		t.Helper()
		if _, ok := arch.FindCall(name); !ok {
			t.Errorf("there is no call %q", name)
		}
	}
	for _, f := range spec.Families() {
		if f.Does == "" || f.Source == "" || len(f.Calls) < 2 {
			t.Errorf("%+v", f)
		}
		for i, name := range f.Calls {
			known(name)
			if slices.Contains(f.Calls[:i], name) {
				t.Errorf("%s: %s twice", f.Does, name)
			}
		}
	}
	list := spec.StandIns()
	if !slices.IsSortedFunc(list, func(a, b spec.StandIn) int { return strings.Compare(a.Call, b.Call) }) {
		t.Error("the stand-ins are not in order")
	}
	generic := archs(t, "aarch64", "riscv64", "loongarch64")
	for _, s := range list {
		known(s.Call)
		for _, a := range generic {
			if _, ok := a.Number(s.Call); ok {
				t.Errorf("%v has %s", a, s.Call)
			}
			if !slices.ContainsFunc(s.By, func(name string) bool { _, ok := a.Number(name); return ok }) {
				t.Errorf("%v has none of %v", a, s.By)
			}
		}
	}
}
