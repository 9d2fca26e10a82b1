//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install/live"
	"seccomp-hook/pkg/precompute"
)

// Stray is the program that makes system calls from a page that it has mapped,
// as its arguments say:
//
//	text NR       makes a call from its text, prints "text NR: RESULT"
//	page NR       makes it from the page, prints "page NR: RESULT"
//	handle        answers SIGSYS from now on with emulated, and prints what came with the signal
//	off           turns the dispatch off by prctl(2)
//	fork          goes on in a child, which prints "child"; ends with its exit status
//	exec PROGRAM  executes PROGRAM with the arguments that are left
var Stray = Victim{Source: "stray.c"}

// What Stray has.
const (
	emulated   = 4242 // the result of a call that its handler answers
	pageOffset = 10   // of the address after the system call instruction in the page
	auditX86   = 0xc000003e
)

// modelled predicts what Stray prints and how it ends.
type modelled struct {
	task    *precompute.Task
	text    uint64 // an address in its text
	handles bool
	lines   []string
	status  int
}

// newModelled returns the model of a container under denyProfile whose program
// may make calls from an area.
func newModelled(t *testing.T, area precompute.Area) *modelled {
	t.Helper()
	f, err := filter.Build(filter.Request{Profile: "deny.json", Text: []byte(denyProfile), Seccomp: true})
	must(t, err)
	areas, err := precompute.NewMemoryAreas(area)
	must(t, err)
	task := precompute.NewTask(precompute.NewChain(bpf.Little, auditX86))
	must(t, task.Append(f.Program, 0))
	must(t, task.Emulate(areas))
	return &modelled{task: task, text: area.Start}
}

// page is where the model's page is: anywhere but in the text.
const page = 0x7f0000000000

// act predicts one action; linux makes the two exceptions that Linux makes of
// the proposal's rules (precompute.Task): a child has no emulation filter, and
// a process may drop its own.
func (m *modelled) act(t *testing.T, verb, argument string, linux bool) {
	t.Helper()
	call := precompute.Call{Data: bpf.Data{Arch: auditX86, IP: m.text}, Entry: precompute.EntrySyscall64}
	switch verb {
	case "handle":
		m.handles = true
		return
	case "fork":
		m.lines = append(m.lines, "child")
		if m.task = m.task.Clone(); linux {
			m.task = precompute.NewTask(m.task.Chain)
		}
		return
	case "off":
		m.lines = append(m.lines, "off 157: 0")
		if linux {
			m.task = precompute.NewTask(m.task.Chain)
		}
		return
	case "exec":
		m.task.Exec()
		m.handles = false
		return
	case "page":
		call.IP = page + pageOffset
	}
	nr, err := strconv.ParseUint(argument, 10, 32)
	must(t, err)
	call.Nr = uint32(nr)
	result := "executed"
	switch e := m.task.Effect(m.task.Evaluate(&call), &call.Data, precompute.Situation{}); e.Next {
	case precompute.Execute:
	case precompute.Skip:
		result = fmt.Sprint(e.Result)
	case precompute.Signal:
		if !m.handles {
			m.status = 128 + int(e.Siginfo.Signo)
			return
		}
		s := e.Siginfo
		m.lines = append(m.lines, fmt.Sprintf("sigsys %d code %d errno %d call %d arch %d rax %[4]d offset %[6]d",
			s.Signo, s.Code, s.Errno, s.Syscall, s.Arch, s.CallAddr-page))
		result = fmt.Sprint(emulated)
	default:
		t.Fatalf("%s %s: %+v", verb, argument, e)
	}
	m.lines = append(m.lines, fmt.Sprintf("%s %s: %s", verb, argument, result))
}

// predict goes through Stray's arguments.
func (m *modelled) predict(t *testing.T, args []string, linux bool) {
	t.Helper()
	for len(args) > 0 && m.status == 0 {
		verb, argument := args[0], ""
		if args = args[1:]; verb == "text" || verb == "page" || verb == "exec" {
			argument, args = args[0], args[1:]
		}
		m.act(t, verb, argument, linux)
	}
}

// strayRuns are what Stray does, and where Linux's answer is another than the
// proposal's.
var strayRuns = []struct {
	name, args string
	differs    bool
}{
	{"from the text", "text 39 text 272", false},
	{"from a page, without a handler", "text 39 page 39 text 39", false},
	{"from a page, denied by the filter", "text 272 page 272", false},
	{"emulated", "handle page 39 page 272 text 272 page 39", false},
	{"a call that there is not", "handle page 100000 text 39", false},
	{"exec", "handle page 39 exec /bin/victim text 272 page 39 page 272", false},
	{"fork", "handle page 39 fork page 39 page 272", true},
	{"off", "handle page 39 off page 39 page 272", true},
}

// TestDispatchedCalls: each call of a program under runc with a dispatch has
// the fate that the model says: from the text it meets the filter, from a page
// it is SIGSYS with an address in that page, which a handler can answer. execve
// clears that. In two points the model has the rule of the proposal of 2020 and
// not Linux's; there the answers must differ.
func TestDispatchedCalls(t *testing.T) {
	for _, run := range strayRuns {
		t.Run(run.name, func(t *testing.T) {
			h := dispatching(t, "text")
			program := h.Install(Stray.Path(t))
			args := strings.Fields(strings.ReplaceAll(run.args, "/bin/victim", program))
			h.Spec.Process.Args = append([]string{program}, args...)
			got := h.Run(Runc(t))
			var area precompute.Area
			if _, err := fmt.Sscanf(h.published().Annotations["io.seccomp-hook.dispatch.area"], "%x-%x", &area.Start, &area.End); err != nil {
				t.Fatalf("%s: %v\n%s", got, err, h.logged())
			}
			kernel := executed(got.Stdout)
			linux, proposal := newModelled(t, area), newModelled(t, area)
			linux.predict(t, args, true)
			proposal.predict(t, args, false)
			if want := strings.Join(linux.lines, "\n"); kernel != want || got.Code != linux.status {
				t.Errorf("%s\n%s\nwant status %d and\n%s", got, h.logged(), linux.status, want)
			}
			if differs := strings.Join(proposal.lines, "\n") != kernel || proposal.status != got.Code; differs != run.differs {
				t.Errorf("the proposal's rules say status %d and\n%s\nwhich differs: %v, want %v", proposal.status, strings.Join(proposal.lines, "\n"), differs, run.differs)
			}
		})
	}
}

// executed makes "executed" of the results of getpid, which only the kernel
// knows.
func executed(output string) string {
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if n, err := strconv.Atoi(value); err == nil && strings.HasSuffix(name, " 39") && n > 0 && n != emulated {
			lines[i] = name + ": executed"
		}
	}
	return strings.Join(lines, "\n")
}

// TestDispatchRuntime: the runtime in front of runc does as the hook does. What
// became of a program is in the state, also where it was killed.
func TestDispatchRuntime(t *testing.T) {
	var seccomp specs.LinuxSeccomp
	must(t, json.Unmarshal([]byte(denyProfile), &seccomp))
	rt := Runc(t)
	front := Product(t, "seccomp-runc")
	rt = rt.Behind("seccomp-runc", front, "--real-runtime", rt.Argv[0])
	for _, tt := range []struct {
		areas, stdout string
		status        int
		annotation    string
	}{
		{"text", "text 272: -77\n", 128 + 31, ""},
		{"nowhere", "", 128 + 9, "dispatch.error"},
		{"1-1", "", 1, ""},
	} {
		b := NewBundle(t, Seccomp(&seccomp), Annotation("io.seccomp-hook.dispatch", tt.areas))
		b.Spec.Process.Args = []string{b.Install(Stray.Path(t)), "text", "272", "page", "39"}
		got := b.Run(rt)
		if got.Stdout != tt.stdout || got.Code != tt.status {
			t.Errorf("%s: %s", tt.areas, got)
		}
		if tt.annotation == "" {
			continue
		}
		id := b.ids[len(b.ids)-1]
		state := MustCommand(t, Product(t, "seccomp-hook"), "state", id)
		if !strings.Contains(state.Stdout, tt.annotation) {
			t.Errorf("%s: the state is %s", tt.areas, state.Stdout)
		}
		must(t, os.RemoveAll(filepath.Join(stateDir, id)))
	}
}

// TestDispatchInspect: what the kernel says of a running program is what the
// state says; a child of it has none.
func TestDispatchInspect(t *testing.T) {
	for _, tt := range []struct {
		verb       string
		dispatched bool
	}{{"pause", true}, {"fork", false}} {
		h := dispatching(t, "text", WithVictim(Probe, "say", "up", tt.verb, "say", "there", "pause"))
		c := h.Create(Runc(t))
		c.Start()
		Eventually(t, "the program", func() bool {
			return c.Output() == map[bool]string{true: "up\n", false: "up\nthere\n"}[tt.dispatched]
		})
		pid := c.PID()
		if !tt.dispatched {
			children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
			must(t, err)
			pid, err = strconv.Atoi(strings.TrimSpace(string(children)))
			must(t, err)
		}
		var in live.Inspection
		text := MustCommand(t, Product(t, "seccomp-hook"), "inspect", "--root", h.root, "--pid", strconv.Itoa(pid), "--format", "json")
		must(t, json.Unmarshal([]byte(text.Stdout), &in))
		area := h.published().Annotations["io.seccomp-hook.dispatch.area"]
		if len(in.Filters) != 1 || (in.Dispatch != nil) != tt.dispatched || tt.dispatched && (area == "" || *in.Dispatch != live.Dispatch{Area: area}) {
			t.Errorf("%s: %d filters, dispatch %v, want %s", tt.verb, len(in.Filters), in.Dispatch, area)
		}
		c.Kill("KILL")
		c.Wait()
	}
}
