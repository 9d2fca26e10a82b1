//go:build linux

package front

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"seccomp-hook/pkg/bundle"
)

// largest is the size of the largest config.json that the front reads.
const largest = 1<<22 - 2

// large are texts of about that size, of every kind of thing that there can be
// many of: what a reader that is not linear would take long for.
func large() map[string]string {
	fill := func(before, part, after string) string {
		return before + strings.Repeat(part, (largest-len(before)-len(after))/len(part)) + after
	}
	return map[string]string{
		"white space":           fill(`{`, " ", `}`),
		"members":               fill(`{`, `"a":1,`, `"b":1}`),
		"nearly linux":          fill(`{`, `"linu":1,`, `"linux":{}}`),
		"members of linux":      fill(`{"linux":{`, `"seccom":1,`, `"seccomp":{}}}`),
		"a profile":             fill(`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[`, `{"names":["read"],"action":"SCMP_ACT_ALLOW"},`, `{}]}}}`),
		"annotations":           fill(`{"linux":{},"annotations":{`, `"run.oci.seccom":"",`, `"b":""}}`),
		"namespaces":            fill(`{"linux":{"namespaces":[`, `{"type":"mount","path":"/"},`, `{"type":"mount"}]}}`),
		"hooks":                 fill(`{"linux":{},"hooks":{"prestart":[`, `{},`, `{}]}}`),
		"a string":              fill(`{"a":"`, "seccom", `"}`),
		"escapes":               fill(`{"a":"`, `\u0073`, `"}`),
		"a number":              fill(`{"a":`, "1", `}`),
		"arrays within arrays":  fill(`{"a":`, "[", `}`),
		"objects within":        fill(``, `{"a":`, `1`),
		"arrays beside another": fill(`{"a":[`, "[],", `[]]}`),
		"no end":                fill(`{"a":"`, "a", ``),
	}
}

// TestLarge: of no text that fits the front's readers is the time not a small
// one, and what the front understands of a config.json it understands as
// pkg/bundle does.
func TestLarge(t *testing.T) {
	// Without the sanitizers it is a tenth of this.
	const patience = 2 * time.Second
	configs, records := newConfigReader(t), newRecordReader(t)
	var slowest time.Duration
	for name, text := range large() {
		took := func(of string, c conversation, ask func()) {
			before := c.cpu(t)
			ask()
			used := c.cpu(t) - before
			if slowest = max(slowest, used); used > patience {
				t.Errorf("%s, %s: %v", name, of, used)
			}
		}
		took("config.json", configs.conversation, func() {
			a := configs.read(t, []byte(text))
			if a.understood && !json.Valid([]byte(text)) {
				t.Errorf("%s is no JSON", name)
			}
			if c, err := bundle.Parse([]byte(text)); a.understood && err == nil && a.seccomp != string(c.Seccomp()) {
				t.Errorf("%s: another profile", name)
			}
		})
		for _, what := range []byte("rk") {
			took(string(what), records.conversation, func() {
				if what == 'r' || what == 'c' {
					records.find(t, what, []byte(text))
				} else {
					records.ask(t, what, []byte(text))
				}
			})
		}
	}
	t.Log("the slowest took", slowest)
}
