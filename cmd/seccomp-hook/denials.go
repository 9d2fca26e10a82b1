package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/watch"
)

// denialLines writes a line for each denied call, for an engine's log.
type denialLines struct {
	out  io.Writer
	json bool
	id   string // of the container
	// rule says what decided about a call that got a verdict.
	rule func(*bpf.Data, bpf.Return) string

	mu   sync.Mutex
	kind map[string]*denialRate
	err  error
}

// denialsPerSecond is how many lines there are for one call and rule.
const denialsPerSecond = 10

// denialRate is how many calls of one kind were written, and left out, in this
// second.
type denialRate struct {
	written, left int
}

// denialLine is one denied call, or, with Left, how many there were that have no
// line.
type denialLine struct {
	Version   int      `json:"version"`
	Time      string   `json:"time"`
	Container string   `json:"container,omitempty"`
	PID       int      `json:"pid,omitempty"`
	Command   string   `json:"command,omitempty"`
	Call      string   `json:"call"`
	Args      []string `json:"args,omitempty"`
	Text      string   `json:"text,omitempty"`
	Action    string   `json:"action"`
	Rule      string   `json:"rule"`
	Left      int      `json:"leftOut,omitempty"`
}

// now is the form of time that engines' logs have.
func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

func (l *denialLines) add(d *watch.Denial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rule := l.rule(&d.Call, d.Return)
	call := explain.Name(d.Call.Arch, d.Call.Nr)
	key := call + "\x00" + d.Return.String() + "\x00" + rule
	if l.kind == nil {
		l.kind = map[string]*denialRate{}
	}
	rate := l.kind[key]
	if rate == nil {
		rate = &denialRate{}
		l.kind[key] = rate
	}
	if rate.written >= denialsPerSecond {
		rate.left++
		return
	}
	rate.written++
	l.write(&denialLine{
		Time: now(), Container: l.id, PID: d.PID, Command: d.Command, Call: call, Args: hexadecimal(d.Call.Args),
		Text: explain.Decode(&d.Call), Action: d.Return.String(), Rule: rule,
	})
}

func (l *denialLines) write(line *denialLine) {
	if l.err != nil {
		return
	}
	line.Version = schemaVersion
	if l.json {
		l.err = json.NewEncoder(l.out).Encode(line)
		return
	}
	who := ""
	if line.Container != "" {
		who = " " + line.Container
	}
	if line.Left > 0 {
		_, l.err = fmt.Fprintf(l.out, "%s%s %s: %s: %s: %d more left out\n", line.Time, who, line.Call, line.Action, line.Rule, line.Left)
		return
	}
	_, l.err = fmt.Fprintf(l.out, "%s%s %s[%d] %s: %s: %s\n", line.Time, who, line.Command, line.PID, line.Text, line.Action, line.Rule)
}

// tick begins another second.
func (l *denialLines) tick() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(l.kind)) {
		if n := l.kind[key].left; n > 0 {
			var line denialLine
			parts := splitKey(key)
			line.Time, line.Container, line.Call, line.Action, line.Rule, line.Left = now(), l.id, parts[0], parts[1], parts[2], n
			l.write(&line)
		}
	}
	clear(l.kind)
	return l.err
}

// finish tells what is left.
func (l *denialLines) finish(lost *watch.Lost) error {
	if err := l.tick(); err != nil {
		return err
	}
	if lost.Events > 0 {
		l.write(&denialLine{Time: now(), Container: l.id, Call: "*", Action: "denied", Rule: "the kernel's buffer was full", Left: int(lost.Events)})
	}
	return l.err
}

func splitKey(key string) []string { return strings.SplitN(key, "\x00", 3) }
