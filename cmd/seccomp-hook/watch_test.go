package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/watch"
)

const auditX86_64 = 0xc000003e

// deniedCall is a call that was denied.
func deniedCall(nr uint32, args ...uint64) *watch.Denial {
	d := &watch.Denial{PID: 7, TID: 8, Command: "app", Return: bpf.Errno(1), Call: bpf.Data{Arch: auditX86_64, Nr: nr}}
	copy(d.Call.Args[:], args)
	return d
}

// byArgument has a rule for each first argument.
func byArgument(d *bpf.Data, _ bpf.Return) string { return fmt.Sprintf("rule %d", d.Args[0]) }

// TestDenialsAreLimited: of one call and rule there are ten lines a second, and
// what was left out is counted: no call is in neither.
func TestDenialsAreLimited(t *testing.T) {
	var out bytes.Buffer
	l := &denialLines{out: &out, id: "box", rule: byArgument}
	for range 25 {
		l.add(deniedCall(unix.SYS_KEYCTL, 1))
	}
	l.add(deniedCall(unix.SYS_KEYCTL, 2))
	l.add(deniedCall(unix.SYS_SOCKET, 1))
	if err := l.tick(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // in the next second
		l.add(deniedCall(unix.SYS_KEYCTL, 1))
	}
	if err := l.finish(&watch.Lost{Events: 4}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		" box app[7] keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0): ERRNO(1): rule 1\n": 13,
		" box app[7] keyctl(KEYCTL_UPDATE, 0): ERRNO(1): rule 2\n":               1,
		" box app[7] socket(AF_UNIX, 0, 0): ERRNO(1): rule 1\n":                  1,
		" box x86_64:keyctl: ERRNO(1): rule 1: 15 more left out\n":               1,
		" box *: denied: the kernel's buffer was full: 4 more left out\n":        1,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%d times %q, want %d, in\n%s", got, text, want, &out)
		}
	}
}

// TestDenialsJSON: there is an object a line, with the fields that docs/json.md
// lists.
func TestDenialsJSON(t *testing.T) {
	var out bytes.Buffer
	l := &denialLines{out: &out, json: true, id: "box", rule: byArgument}
	for range 12 {
		l.add(deniedCall(unix.SYS_KEYCTL, 1))
	}
	if err := l.finish(&watch.Lost{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 11 {
		t.Fatalf("%d lines:\n%s", len(lines), &out)
	}
	all := map[string]bool{}
	for _, text := range lines {
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, fields["time"].(string)); err != nil {
			t.Error(err)
		}
		for name := range fields {
			all[name] = true
		}
		delete(fields, "time")
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"action":"ERRNO(1)","args":["0x1","0x0","0x0","0x0","0x0","0x0"],"call":"x86_64:keyctl","command":"app","container":"box","pid":7,"rule":"rule 1","text":"keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0)","version":1}`
		if fields["leftOut"] != nil {
			want = `{"action":"ERRNO(1)","call":"x86_64:keyctl","container":"box","leftOut":2,"rule":"rule 1","version":1}`
		}
		if string(text) != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	section := documentedSection(t, "watch --denials")
	for name := range all {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("docs/json.md, watch --denials: no %q", name)
		}
	}
}

// documentedSection is a section of docs/json.md.
func documentedSection(t *testing.T, name string) string {
	t.Helper()
	_, section, found := strings.Cut(documentation(t, "json.md"), "\n## "+name+"\n")
	if !found {
		t.Fatalf("docs/json.md has no %q", name)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// counted are calls of all kinds.
func counted() *watch.Counts {
	call := func(nr uint32) watch.Call { return watch.Call{Token: auditX86_64, Nr: nr} }
	return &watch.Counts{
		Calls: []watch.Count{
			{Call: call(unix.SYS_READ), Cached: 90},
			{Call: call(unix.SYS_PERSONALITY), Ran: 4, Instructions: 40},
			{Call: call(unix.SYS_KEYCTL), Verdicts: []watch.Verdict{{Return: bpf.Errno(1), Count: 6, Instructions: 60}}},
			{Call: call(unix.SYS_CLOSE), Cached: 20, Unfiltered: 3, Other: 2, Refused: 1},
		},
		Lost: watch.Lost{Counts: 5, Events: 6, Processes: 7},
	}
}

// TestWatchTable: the table has the calls that are made most, and the denied ones;
// the sum has all; and what is lost is said.
func TestWatchTable(t *testing.T) {
	samples := map[sampleKey][]*watch.Denial{{watch.Call{Token: auditX86_64, Nr: unix.SYS_KEYCTL}, bpf.Errno(1)}: {deniedCall(unix.SYS_KEYCTL, 1)}}
	s := &subject{id: "box", pid: 7}
	r := newReport(s, counted(), samples, 2*time.Second)
	var out bytes.Buffer
	if err := r.write(&out, 1); err != nil {
		t.Fatal(err)
	}
	const want = `  calls  cached  ran  instructions  denied   call
     90      90    0             0       0 read
     26      20    0             0       1 close, 3 by tasks without a filter, 3 by tasks with other filters
      6       0    0            60       6 keyctl
and 1 more

keyctl: ERRNO(1), denied 6 times: unknown
  keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0) by app (7)

126 calls in 2.0s: 91.67% from the kernel's cache, 10 ran the filter for 50 instructions a second, 7 denied
LOST: 5 calls are in no count
LOST: 6 denied calls are counted and not shown
LOST: 7 processes are not watched
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["version"] != float64(schemaVersion) {
		t.Errorf("version %v", fields["version"])
	}
	section := documentedSection(t, "watch")
	missing(t, section, fields)
}

// missing says which fields a section of docs/json.md does not list.
func missing(t *testing.T, section string, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/json.md: no %q", name)
			}
			missing(t, section, inner)
		}
	case []any:
		for _, inner := range v {
			missing(t, section, inner)
		}
	}
}
