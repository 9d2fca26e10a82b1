package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// line is a command line, understood.
type line struct {
	name string
	args string
	want Invocation
}

func TestParseArgs(t *testing.T) {
	both := []line{
		{"nothing", "", Invocation{}},
		{"version", "--version", Invocation{}},
		{"docker creates", "--root /var/run/docker/runtime-runc/moby --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p --console-socket /c 0123abcd",
			Invocation{Command: "create", Root: "/var/run/docker/runtime-runc/moby", Bundle: "/b", ID: "0123abcd", Log: "/l", LogFormat: "json"}},
		{"equal signs", "--root=/r create --bundle=/b id", Invocation{Command: "create", Root: "/r", Bundle: "/b", ID: "id"}},
		{"short", "run -d -b /b id", Invocation{Command: "run", Bundle: "/b", ID: "id"}},
		{"end of flags", "run --bundle /b -- id", Invocation{Command: "run", Bundle: "/b", ID: "id"}},
		{"end of the global flags", "--root /r -- run id", Invocation{Command: "run", Root: "/r", ID: "id"}},
		{"a command's own flags are its own", "exec --cwd / -e A=b -t id ls --bundle x", Invocation{Command: "exec", ID: "id"}},
		{"exec of a process file", "--root /r exec --process /p.json --detach --pid-file /pid id", Invocation{Command: "exec", Root: "/r", ID: "id", Process: "/p.json"}},
		{"exec without new privileges", "exec --no-new-privs id ls --no-new-privs=false", Invocation{Command: "exec", ID: "id", NoNewPrivileges: true}},
		{"kept", "run --keep id", Invocation{Command: "run", ID: "id", Keep: true}},
		{"deleted", "delete id", Invocation{Command: "delete", ID: "id"}},
		{"deleted by force", "delete -f id", Invocation{Command: "delete", ID: "id", Force: true}},
		{"deleted by force, long", "delete --force id", Invocation{Command: "delete", ID: "id", Force: true}},
		{"a command of a later version", "--debug mend --anything id", Invocation{Command: "mend", Debug: true}},
		{"a value that looks like a flag", "exec --env -x id true", Invocation{Command: "exec", ID: "id"}},
		{"a value that looks like the end of flags", "create --bundle -- id", Invocation{Command: "create", Bundle: "--", ID: "id"}},
		{"the last one wins", "create --bundle /a --bundle /b id", Invocation{Command: "create", Bundle: "/b", ID: "id"}},
		{"the last root wins", "--root /a --root=/b create id", Invocation{Command: "create", Root: "/b", ID: "id"}},
		{"not ours to read", "--root /r kill -a id KILL", Invocation{Command: "kill", Root: "/r"}},
		{"a global flag of a later version, and nothing of ours", "--new list", Invocation{}},
		{"empty value", "create --bundle= id", Invocation{Command: "create", ID: "id"}},
		{"a lone dash is an operand", "create -", Invocation{Command: "create", ID: "-"}},
		{"restored", "restore --image-path /i --bundle /b id", Invocation{Command: "restore", Bundle: "/b", ID: "id"}},
	}
	lines := map[Kind][]line{
		Runc: append([]line{
			{"one dash", "-root /r create -bundle /b id", Invocation{Command: "create", Root: "/r", Bundle: "/b", ID: "id"}},
			{"two dashes before a letter", "run --b /b id", Invocation{Command: "run", Bundle: "/b", ID: "id"}},
			{"an equal sign behind a letter", "run -b=/b id", Invocation{Command: "run", Bundle: "/b", ID: "id"}},
			{"flags after the id", "run id --bundle /b", Invocation{Command: "run", Bundle: "/b", ID: "id"}},
			{"a switch takes the next word with it, which ends the flags", "run id -d x --bundle /b", Invocation{Command: "run", ID: "x"}},
			{"flags after the id and the end of flags", "run id -- --bundle /b", Invocation{Command: "run", ID: "id"}},
			{"a switch that is off", "delete --force=0 id", Invocation{Command: "delete", ID: "id"}},
			{"another root is none", "--rootless auto create id", Invocation{Command: "create", ID: "id"}},
		}, both...),
		Crun: append([]line{
			{"letters in one word", "run -db/b -f/c.json id", Invocation{Command: "run", Bundle: "/b", Config: "/c.json", ID: "id"}},
			{"a letter's value has its equal sign", "run -b=/b id", Invocation{Command: "run", Bundle: "=/b", ID: "id"}},
			{"one dash is letters", "run -bundle id", Invocation{Command: "run", Bundle: "undle", ID: "id"}},
			{"abbreviated", "--debu run --bund=/b --conf /c id", Invocation{Command: "run", Debug: true, Bundle: "/b", Config: "/c", ID: "id"}},
			{"abbreviated, of exec", "exec --en plain filtered grep", Invocation{Command: "exec", ID: "filtered"}},
			{"abbreviated, of delete", "delete --forc id", Invocation{Command: "delete", ID: "id", Force: true}},
			{"a whole name that others begin with", "--log /l create id", Invocation{Command: "create", Log: "/l", ID: "id"}},
			{"the first operand ends the flags", "create id --bundle /b", Invocation{Command: "create", ID: "id"}},
			{"a terminal's value is in the same word", "exec -tfalse --tty id ls", Invocation{Command: "exec", ID: "id"}},
			{"the last configuration wins", "create -f /a --config=/b id", Invocation{Command: "create", Config: "/b", ID: "id"}},
			{"another root is nobody else's", "--rootless auto state id", Invocation{Command: "state"}},
			{"by an expression", "delete --regex a.*", Invocation{Command: "delete", ID: "a.*", Regex: true}},
		}, both...),
		unknownKind: {
			{"what all read alike", "--root /r create --bundle /b id", Invocation{Command: "create", Root: "/r", Bundle: "/b", ID: "id"}},
		},
	}
	for kind, lines := range lines {
		for _, tc := range lines {
			t.Run(fmt.Sprintf("%v/%s", kind, tc.name), func(t *testing.T) {
				tc.want.Args = strings.Fields(tc.args)
				got, err := ParseArgs(kind, strings.Fields(tc.args))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&tc.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

// Where it is open what the real runtime makes of a command line, it does not
// get it.
func TestParseArgsRefuses(t *testing.T) {
	both := []string{
		"--new-global value create id", "create --new id", "exec --new id ls", "run --new=x id", "delete --new id", "restore --new id",
		"--root= create id", "create --bundle", "exec --env",
		"---root /r create id", "create ---bundle /b id", "create --=x id", "exec -x id ls",
	}
	lines := map[Kind][]string{
		Runc: append([]string{
			"create --bund /b id", "run -db/b id", "run -b/b id", "create --config /c id", "exec --en plain filtered grep", "delete --forc id",
			"delete --force=perhaps id", "run -dt id",
		}, both...),
		Crun: append([]string{
			"create --pid id --p /p", "create --no- id", "exec --pro /p id", "--log- json create id", "create --no-pivot=true id", "run -dx id",
			"--rootless=auto create id", "--rootless auto exec id ls", "run --pidfd-socket /p id", "exec -g 1 id ls", "create -:x id",
		}, both...),
		unknownKind: {"create -bundle /b id", "create -b=/b id", "create id --bundle /b", "create --config /c id"},
	}
	for kind, lines := range lines {
		for _, line := range lines {
			inv, err := ParseArgs(kind, strings.Fields(line))
			var usage *UsageError
			if !errors.As(err, &usage) || inv == nil {
				t.Errorf("%v: ParseArgs(%q) = %v, %v, want a UsageError", kind, line, inv, err)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	dir := t.TempDir()
	link := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]Kind{
		"/usr/bin/runc": Runc, "/opt/docker-runc": Runc, "/usr/bin/crun": Crun, "/opt/crun-1.20": Crun, "/usr/bin/youki": unknownKind,
		// By these names crun starts no program by execve.
		"/usr/bin/krun": unknownKind, "/usr/bin/crun-wasm": unknownKind,
		link("krun", "/usr/bin/crun"): unknownKind, link("crun-wasmedge", "/usr/bin/crun"): unknownKind, link("oci", "/usr/bin/crun"): Crun,
	} {
		if got := KindOf(path); got != want {
			t.Errorf("KindOf(%q) = %d, want %d", path, got, want)
		}
	}
}

// FuzzParseArgs: whatever the command line is, the real runtime gets all of it;
// and where it is one for the filter step, the value of each flag that was
// understood is on it.
func FuzzParseArgs(f *testing.F) {
	for _, seed := range []string{
		"", "--", "-", "create", "--root /r create --bundle /b id", "run -b/b -- id", "exec -e A=b id ls -b x", "--log=/l run id --keep",
		"delete -f id", "--x create id", "-root=/r -debug exec -p /p id",
	} {
		f.Add(seed, uint8(Runc))
		f.Add(seed, uint8(Crun))
	}
	f.Fuzz(func(t *testing.T, line string, kind uint8) {
		args := strings.Split(line, " ")
		given := slices.Clone(args)
		inv, err := ParseArgs(Kind(kind%3), args)
		if !slices.Equal(args, given) {
			t.Fatalf("ParseArgs(%q) changed its arguments", given)
		}
		if err != nil {
			return
		}
		if !slices.Equal(inv.Args, given) {
			t.Fatalf("ParseArgs(%q) hands on %q", given, inv.Args)
		}
		if inv.Command != "" && !slices.Contains(given, inv.Command) || inv.ID != "" && !slices.Contains(given, inv.ID) {
			t.Fatalf("ParseArgs(%q) invents %q %q", given, inv.Command, inv.ID)
		}
		for _, value := range []string{inv.Root, inv.Bundle, inv.Config, inv.Log, inv.LogFormat, inv.Process} {
			if !strings.Contains(line, value) {
				t.Fatalf("ParseArgs(%q) invents the value %q", given, value)
			}
		}
	})
}
