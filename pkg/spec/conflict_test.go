package spec_test

import (
	"errors"
	"testing"

	"seccomp-hook/pkg/spec"
)

func TestStatement10Conflict(t *testing.T) {
	err := resolveError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_LOG"},
		{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
		{"names": ["socket"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`)
	var conflict *spec.ConflictError
	var rule *spec.RuleError
	if !errors.As(err, &conflict) || conflict.First.Origin != 1 || conflict.Second.Origin != 2 {
		t.Errorf("%v: conflict %+v", err, conflict)
	}
	if !errors.As(err, &rule) || rule.Rule != 2 || rule.Call != "socket" {
		t.Errorf("%v: rule %+v", err, rule)
	}
	// A call that the architecture does not have conflicts as well.
	expectError(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["chown32"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]},
		{"names": ["chown32"], "action": "SCMP_ACT_KILL", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]}]}`,
		`rule 1 ("chown32"): on x86_64: `)
}
