//go:build linux

package front

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seccomp-hook/pkg/runtime"
)

// TestParse: what engines write must be understood, or each of their commands
// waits for a Go program; and what is not plain must not be.
func TestParse(t *testing.T) {
	p := newParser(t)
	for _, tc := range []struct {
		name, line string
		want       invocation
	}{
		{"containerd execs", "--root /run/containerd/runc/k8s.io --log /l --log-format json --systemd-cgroup exec --process /p --console-socket /c --detach --pid-file /pid 0123abcd",
			invocation{command: "exec", root: "/run/containerd/runc/k8s.io", id: "0123abcd"}},
		{"conmon execs", "--cgroup-manager cgroupfs --root=/run/crun --log-format=json --log /l exec --pid-file /pid --process /p --detach --tty 0123abcd",
			invocation{command: "exec", root: "/run/crun", id: "0123abcd", only: onlyCrun}},
		{"a person execs", "exec -t -e A=b -u 1000:1000 id ls -l", invocation{command: "exec", id: "id"}},
		{"its own flags", "exec id ls --root /r --process=/p -x", invocation{command: "exec", id: "id"}},
		{"letters", "exec -d -t -p /p id", invocation{command: "exec", id: "id"}},
		{"a flag of runc's", "exec --ignore-paused id ls", invocation{command: "exec", id: "id", only: onlyRunc}},
		{"a flag of crun's", "--cgroup-manager cgroupfs exec id ls", invocation{command: "exec", id: "id", only: onlyCrun}},
		{"the last one wins", "--root=/a --root /b exec id ls", invocation{command: "exec", root: "/b", id: "id"}},
		{"a value that looks like a flag", "--root --debug exec --env --detach id ls", invocation{command: "exec", root: "--debug", id: "id"}},
		{"a value that looks like a command", "--log exec --root create state id", invocation{command: "state", root: "create", passes: true}},
		{"the real runtime", "--real-runtime /usr/bin/crun --root /r exec id ls", invocation{realRuntime: "/usr/bin/crun", args: 2, command: "exec", root: "/r", id: "id"}},
		{"the real runtime, one word", "--real-runtime=/usr/bin/crun exec id ls", invocation{realRuntime: "/usr/bin/crun", args: 1, command: "exec", id: "id"}},
		{"containerd creates", "--root /r --log /l --log-format json create --bundle /b --pid-file /p --console-socket /c id",
			invocation{command: "create", root: "/r", bundle: "/b", id: "id", creates: true}},
		{"conmon creates", "--systemd-cgroup create --bundle=/b --pid-file /p id", invocation{command: "create", bundle: "/b", id: "id", creates: true}},
		{"a person runs", "run -d -b /b id", invocation{command: "run", bundle: "/b", id: "id", creates: true}},
		{"state", "--root /r --log /l --log-format json state id", invocation{command: "state", root: "/r", passes: true}},
		{"start", "--root /r start id", invocation{command: "start", root: "/r", passes: true}},
		{"kill", "--root /r kill --all id 9", invocation{command: "kill", root: "/r", passes: true}},
		{"ps", "ps --format json id", invocation{command: "ps", passes: true}},
		{"containerd deletes", "--root /r --log /l --log-format json delete id", invocation{command: "delete", root: "/r", id: "id"}},
		{"containerd deletes by force", "--root /r delete --force id", invocation{command: "delete", root: "/r", id: "id", force: true}},
		{"a person deletes by force", "delete -f id", invocation{command: "delete", id: "id", force: true}},
		// Go's part: it knows which containers are meant, and shows what filters can be.
		{"delete with a flag behind the id", "delete id --force", invocation{command: "delete"}},
		{"delete with an expression", "delete --regex .*", invocation{command: "delete"}},
		{"features", "features", invocation{command: "features"}},
		// Its id is Go's to find.
		{"flags behind the id", "create id --bundle /b", invocation{command: "create", creates: true}},
		{"another config.json", "create --config /c --bundle /b id", invocation{command: "create", creates: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := strings.Split(tc.line, " ")
			got, understood := p.parse(t, args)
			if !understood {
				t.Fatal("not understood")
			}
			tc.want.hasID = tc.want.id != ""
			if !got.hasID {
				got.bundle = "" // nobody asks
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(invocation{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			agree(t, p, args)
		})
	}
	for _, tc := range []struct{ name, line string }{
		{"a lacking value", "--root"},
		{"a lacking value of exec's", "exec --process"},
		{"a lacking real runtime", "--real-runtime"},
		{"no command", "--debug"},
		{"no id", "exec --detach"},
		{"an unknown flag", "--frobnicate debug exec id ls"},
		{"an unknown flag of exec's", "exec --new-flag id ls"},
		{"a switch with a value", "--debug=false exec id ls"},
		{"a switch of exec's with a value", "exec --detach=true id ls"},
		{"an attached value", "exec -u1000 id ls"},
		{"a letter with an equal sign", "exec -u=1000 id ls"},
		{"a letter with two dashes", "exec --u 1000 id ls"},
		{"a long name with one dash", "exec -user 1000 id ls"},
		{"a long global name with one dash", "-root /r exec id ls"},
		{"another root to some", "--rootless auto exec id ls"},
		{"an empty root", "--root= exec id ls"},
		{"two switches in one word", "exec -dt id ls"},
		{"the end of the flags", "exec -- id ls"},
		{"a lone dash", "exec - ls"},
		{"three dashes", "---root /r exec id ls"},
		{"the beginning of a flag", "--roo /r exec id ls"},
		{"a longer flag", "--rooted /r exec id ls"},
		{"the real runtime later", "--debug --real-runtime /usr/bin/crun exec id ls"},
		{"version", "--version"},
		{"help", "exec --help"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, understood := p.parse(t, strings.Split(tc.line, " ")); understood {
				t.Errorf("understood as %+v", got)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if got, understood := p.parse(t, nil); understood {
			t.Errorf("understood as %+v", got)
		}
		if got, understood := p.ask(t, nil); understood { // without even a name (execve(2))
			t.Errorf("without a name, understood as %+v", got)
		}
	})
}

// flags are those of one command.
type flags struct{ valued, switches []string }

// The flags of runc 1.1 to 1.5 and crun 1.8 to 1.29 that the front understands.
var (
	globals = flags{
		[]string{"log", "log-format", "root", "criu", "cgroup-manager", "log-level"},
		[]string{"debug", "systemd-cgroup"},
	}
	ofExec = flags{
		[]string{"console-socket", "pidfd-socket", "cwd", "env", "e", "user", "u", "additional-gids", "g", "process", "p", "pid-file",
			"process-label", "apparmor", "cap", "c", "preserve-fds", "cgroup"},
		[]string{"detach", "d", "tty", "t", "no-new-privs", "ignore-paused"},
	}
	ofCreate = flags{
		[]string{"bundle", "b", "console-socket", "pidfd-socket", "pid-file", "preserve-fds"},
		[]string{"no-pivot", "no-new-keyring"},
	}
	ofRun = flags{
		ofCreate.valued,
		[]string{"detach", "d", "keep", "no-pivot", "no-new-keyring", "no-subreaper"},
	}
	ofDelete = flags{switches: []string{"force", "f"}}
)

// TestParseKnows: the front understands every flag of what engines write. One
// that it does not know does no harm, and costs each exec with it a Go
// program's start.
func TestParseKnows(t *testing.T) {
	p := newParser(t)
	understood := func(args ...string) {
		t.Helper()
		if got, understood := p.parse(t, args); !understood || got.id != "id" {
			t.Errorf("%q is %v %+v", args, understood, got)
		}
		agree(t, p, args)
	}
	each := func(flags flags, line func(words ...string) []string) {
		t.Helper()
		for _, name := range flags.valued {
			understood(line(dashed(name), "value")...)
			if len(name) > 1 {
				understood(line(dashed(name) + "=value")...)
			}
		}
		for _, name := range flags.switches {
			understood(line(dashed(name))...)
		}
	}
	each(globals, func(words ...string) []string { return append(words, "exec", "id", "ls") })
	each(globals, func(words ...string) []string { return append(words, "create", "id") })
	each(ofExec, func(words ...string) []string { return append(append([]string{"exec"}, words...), "id", "ls") })
	each(ofCreate, func(words ...string) []string { return append(append([]string{"create"}, words...), "id") })
	each(ofRun, func(words ...string) []string { return append(append([]string{"run"}, words...), "id") })
	each(ofDelete, func(words ...string) []string { return append(append([]string{"delete"}, words...), "id") })
}

// dashed writes a flag as both runtimes understand it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// TestParseAgrees: a command line of which the front understands something is
// the same one for pkg/runtime, whatever flags of runc and crun, in whatever
// form, are on it.
func TestParseAgrees(t *testing.T) {
	const lines = 20000
	p := newParser(t)
	r := rand.New(rand.NewPCG(1, 2))
	understood := map[string]int{}
	for range lines {
		args := writeLine(r)
		if command, ok := agree(t, p, args); ok {
			understood[command]++
		}
		if t.Failed() {
			return
		}
	}
	for _, command := range []string{"exec", "create", "run", "state", "delete"} {
		if n := understood[command]; n < lines/200 {
			t.Errorf("%d of %d lines with %s were understood; that tells little", n, lines, command)
		}
	}
}

// FuzzParse is TestParseAgrees for any line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "exec", "--root /r exec id ls", "--root=/r --log /l exec --process=/p id", "create -b /b id", "run --bundle=/b id --keep", "state id",
		"--real-runtime /r exec id", "--real-runtime=/r exec -e A=b id", "-debug -root /r delete -f id", "exec -- id", "---root /r exec id", "--x create id",
	} {
		f.Add(seed)
	}
	p := newParser(f)
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(strings.ReplaceAll(line, "\x00", ""), " ")
		if len(args) < maxWords {
			agree(t, p, args)
		}
	})
}

// agree checks that the front, where it acts on a command line, understands it
// as pkg/runtime does, whichever runtime gets it.
func agree(t testing.TB, p *parser, args []string) (command string, understood bool) {
	t.Helper()
	got, understood := p.parse(t, args)
	if !understood {
		return "", false
	}
	realRuntime, rest := cutRealRuntime(args)
	for kind, families := range map[runtime.Kind]int{runtime.Runc: onlyRunc, runtime.Crun: onlyCrun} {
		if got.only != 0 && got.only != families {
			continue // it is Go's, or the other runtime's
		}
		inv, err := runtime.ParseArgs(kind, rest)
		// The front acts on what it knows of the container, and where the command
		// passes; all else is Go's to understand, or to refuse.
		if !got.passes && !got.hasID {
			continue
		}
		if err != nil {
			t.Errorf("%q is %+v, and pkg/runtime says: %v", args, got, err)
			continue
		}
		want := invocation{
			realRuntime: realRuntime,
			args:        len(args) - len(rest),
			command:     inv.Command,
			root:        inv.Root,
			bundle:      got.bundle,
			id:          got.id,
			only:        got.only,
			creates:     inv.Command == "create" || inv.Command == "run",
			passes:      got.passes,
			hasID:       got.hasID,
		}
		if got.hasID {
			want.id, want.bundle, want.force = inv.ID, inv.Bundle, inv.Force
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(invocation{})); diff != "" {
			t.Errorf("%q (-pkg/runtime +front)\n%s", args, diff)
		}
		if got.hasID && got.creates && inv.Config != "" {
			t.Errorf("%q has another config.json, and the front makes the container", args)
		}
	}
	if got.passes && (got.creates || slices.Contains(goCommands, got.command)) {
		t.Errorf("%q passes", args)
	}
	return got.command, true
}

// goCommands are those for which pkg/runtime does something.
var goCommands = []string{"create", "run", "exec", "delete", "features"}

// cutRealRuntime takes the product's own flag off the front of a command line.
func cutRealRuntime(args []string) (realRuntime string, rest []string) {
	const flag = "--real-runtime"
	if value, ok := strings.CutPrefix(args[0], flag+"="); ok {
		return value, args[1:]
	}
	if args[0] == flag {
		return args[1], args[2:]
	}
	return "", args
}

// What command lines are made of beside flags.
var (
	strange  = []string{"config", "f", "rootless", "bund", "conf", "pro", "log-", "regex", "help", "version", "h", "v", "new", "x"}
	commands = []string{"exec", "exec", "exec", "create", "create", "run", "state", "start", "kill", "delete", "list", "ps", "features", "checkpoint", "restore", "events", "pause", "resume", "update", "spec", "init", "help", "mend", ""}
	values   = []string{"", "/", "/r", "id", "0", "json", "A=b", "-", "--", "-d", "--root", "--root=/x", "exec", "create", "=", "-=", "\xff", "a b", "\n"}
)

// writeLine writes a command line, as an engine would, or nearly so.
func writeLine(r *rand.Rand) (args []string) {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	// Most flags are right, so that lines with many of them come to their end.
	flag := func(flags flags) {
		name := pick(slices.Concat(strange, flags.valued, flags.switches))
		switch r.IntN(12) {
		case 0:
			args = append(args, "-"+name)
		case 1:
			args = append(args, "-"+name+"="+pick(values))
		case 2:
			args = append(args, "-"+name[:1]+pick(values))
		case 3:
			args = append(args, "---"+name, pick(values))
		case 4:
			args = append(args, pick(values))
		case 5, 6:
			args = append(args, "--"+name)
		case 7, 8:
			args = append(args, "--"+name+"="+pick(values))
		default:
			args = append(args, dashed(name))
			if slices.Contains(flags.valued, name) || r.IntN(4) == 0 {
				args = append(args, pick(values))
			}
		}
	}
	switch r.IntN(8) {
	case 0:
		args = append(args, "--real-runtime", pick(values))
	case 1:
		args = append(args, "--real-runtime="+pick(values))
	case 2:
		args = append(args, pick([]string{"--real-runtime", "-real-runtime", "--real-runtimes=x", "--real"}))
	}
	for range r.IntN(4) {
		flag(globals)
	}
	command := pick(commands)
	args = append(args, command)
	own := ofCreate
	switch command {
	case "exec":
		own = ofExec
	case "run":
		own = ofRun
	case "delete":
		own = ofDelete
	}
	for range r.IntN(4) {
		flag(own)
	}
	args = append(args, "id")
	for range r.IntN(3) {
		args = append(args, pick([]string{"ls", "--root", "/x", "-b", "--bundle=/x", "create", "--", ""}))
	}
	return args
}

// The families, as the front has them.
const (
	onlyRunc = 1
	onlyCrun = 2
)

// invocation is the front's struct invocation.
type invocation struct {
	// Absent is the same as empty, but for an id.
	realRuntime, command, root, bundle, id string

	args            int // how many arguments come before
	only            int // the families that can have it
	creates, passes bool
	force           bool
	hasID           bool
}

// parser is a process that understands command lines as the front does.
type parser struct{ conversation }

// maxWords is more than the program of testdata takes.
const maxWords = 500

func newParser(t testing.TB) *parser {
	t.Helper()
	return &parser{converse(t, "parse", []string{"arguments.c"})}
}

// parse has a command line understood, without the program's name.
func (p *parser) parse(t testing.TB, args []string) (inv invocation, understood bool) {
	t.Helper()
	return p.ask(t, append([]string{runtime.Name}, args...))
}

func (p *parser) ask(t testing.TB, argv []string) (inv invocation, understood bool) {
	t.Helper()
	var line strings.Builder
	fmt.Fprintf(&line, "%d\x00", len(argv))
	for _, word := range argv {
		line.WriteString(word + "\x00")
	}
	if _, err := io.WriteString(p.in, line.String()); err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	next := func() string {
		text, err := p.out.ReadString(0)
		if err != nil {
			t.Fatalf("%q: the front's parser has ended: %v", argv, err)
		}
		return strings.TrimSuffix(text, "\x00")
	}
	number := func() int {
		n, err := strconv.Atoi(next())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	understood = number() == 1
	inv.args = number() - 1 // but the program's name
	inv.creates, inv.passes = number() == 1, number() == 1
	inv.only = number()
	inv.force = number() == 1
	for _, field := range []*string{&inv.realRuntime, &inv.command, &inv.root, &inv.bundle, &inv.id} {
		*field, inv.hasID = strings.CutPrefix(next(), "=") // the last one is the id
	}
	return inv, understood
}
