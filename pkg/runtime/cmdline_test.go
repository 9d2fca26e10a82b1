package runtime

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseArgs(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want Invocation
	}{
		{"nothing", nil, Invocation{}},
		{"version", []string{"--version"}, Invocation{}},
		{"docker creates", []string{"--root", "/var/run/docker/runtime-runc/moby", "--log", "/l", "--log-format", "json", "--systemd-cgroup", "create", "--bundle", "/b", "--pid-file", "/p", "--console-socket", "/c", "0123abcd"},
			Invocation{Command: "create", Root: "/var/run/docker/runtime-runc/moby", Bundle: "/b", ID: "0123abcd", Log: "/l", LogFormat: "json"}},
		{"equal signs", []string{"--root=/r", "create", "--bundle=/b", "id"}, Invocation{Command: "create", Root: "/r", Bundle: "/b", ID: "id"}},
		{"one dash", []string{"-root", "/r", "create", "-bundle", "/b", "id"}, Invocation{Command: "create", Root: "/r", Bundle: "/b", ID: "id"}},
		{"short", []string{"run", "-d", "-b", "/b", "id"}, Invocation{Command: "run", Bundle: "/b", ID: "id"}},
		{"short, argp", []string{"run", "-b/b", "-f/c.json", "id"}, Invocation{Command: "run", Bundle: "/b", Config: "/c.json", ID: "id"}},
		{"flags after the id", []string{"run", "id", "--bundle", "/b"}, Invocation{Command: "run", Bundle: "/b", ID: "id"}},
		{"end of flags", []string{"run", "--bundle", "/b", "--", "id"}, Invocation{Command: "run", Bundle: "/b", ID: "id"}},
		{"a command's own flags are its own", []string{"exec", "--cwd", "/", "-e", "A=b", "-t", "id", "ls", "--bundle", "x"}, Invocation{Command: "exec", ID: "id"}},
		{"exec of a process file", []string{"--root", "/r", "exec", "--process", "/p.json", "--detach", "--pid-file", "/pid", "id"}, Invocation{Command: "exec", Root: "/r", ID: "id", Process: "/p.json"}},
		{"exec without new privileges", []string{"exec", "--no-new-privs", "id", "ls", "--no-new-privs=false"}, Invocation{Command: "exec", ID: "id", NoNewPrivileges: true}},
		{"kept", []string{"run", "--keep", "id"}, Invocation{Command: "run", ID: "id", Keep: true}},
		{"deleted", []string{"delete", "id"}, Invocation{Command: "delete", ID: "id"}},
		{"deleted by force", []string{"delete", "-f", "id"}, Invocation{Command: "delete", ID: "id", Force: true}},
		{"deleted by force, long", []string{"delete", "--force", "id"}, Invocation{Command: "delete", ID: "id", Force: true}},
		{"a command of a later version", []string{"--debug", "mend", "id"}, Invocation{Command: "mend", Debug: true}},
		{"a value that looks like a flag", []string{"exec", "--env", "-x", "id", "true"}, Invocation{Command: "exec", ID: "id"}},
		{"a switch of a later version", []string{"create", "--new-switch", "--bundle", "/b", "id"}, Invocation{Command: "create", Bundle: "/b", ID: "id"}},
		{"the last one wins", []string{"create", "--bundle", "/a", "-b", "/b", "id"}, Invocation{Command: "create", Bundle: "/b", ID: "id"}},
		{"not ours to read", []string{"--root", "/r", "kill", "-a", "id", "KILL"}, Invocation{Command: "kill", Root: "/r"}},
		{"empty value", []string{"create", "--bundle", "", "id"}, Invocation{Command: "create", ID: "id"}},
		{"a lone dash is an operand", []string{"create", "-"}, Invocation{Command: "create", ID: "-"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Args = tc.args
			got, err := ParseArgs(tc.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Where it is open what the real runtime makes of a command line, it does not
// get it.
func TestParseArgsRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--root"}, {"create", "id", "--bundle"}, // no value
		{"--new-global", "value", "create", "id"}, // is "value" the command?
	} {
		_, err := ParseArgs(args)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("ParseArgs(%q) = %v, want a UsageError", args, err)
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
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		given := slices.Clone(args)
		inv, err := ParseArgs(args)
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
