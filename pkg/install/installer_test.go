//go:build linux

package install

import (
	"testing"
)

func install(t *testing.T, v *victim, r Request) (*Result, error) {
	t.Helper()
	i, err := Start(Command{}, v.pid())
	if err != nil {
		return nil, err
	}
	return i.Install(t.Context(), r)
}

func TestSuspend(t *testing.T) {
	needSuspend(t)
	v := newVictim(t, "init")
	result, err := install(t, v, request(denying(denied)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", result)
	v.proceed()
	v.expect("init 0", "program 99 2 1 0")
}
