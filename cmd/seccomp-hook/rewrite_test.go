package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// rewriting is a folder with profiles and programs to rewrite.
func rewriting(t *testing.T) string {
	t.Helper()
	if arch.Native().Name != "x86_64" {
		t.Skip("the programs are for x86_64")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"allow.json": `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
			{"names":["write","read","read","no_such_call"],"action":"SCMP_ACT_ALLOW"},
			{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`,
		"deny.json": `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
			{"names":["write"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}`,
		"notify.json": `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"listenerPath":"/run/a","syscalls":[
			{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}`,
		"trap.json": `{"defaultAction":"SCMP_ACT_TRAP","architectures":["SCMP_ARCH_X86"],"syscalls":[
			{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`,
		"other.json": `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"listenerPath":"/run/b","syscalls":[
			{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}`,
		"web.yaml": "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nspec:\n  defaultAction: SCMP_ACT_ERRNO\n  architectures: [SCMP_ARCH_X86_64]\n" +
			"  syscalls:\n  - names: [read, write]\n    action: SCMP_ACT_ALLOW\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The first two arguments of socket are the same, or it fails.
	raw, err := bpf.Program{
		bpf.Load(bpf.OffArch), bpf.Jump(bpf.JEQ, 0xc000003e, 1, 0), bpf.Ret(bpf.RetKillThread),
		bpf.Load(bpf.OffNr), bpf.Jump(bpf.JGE, 0x40000000, 0, 1), bpf.Ret(bpf.RetKillThread), bpf.Jump(bpf.JEQ, 41, 1, 0), bpf.Ret(bpf.RetAllow),
		bpf.Load(bpf.OffArgs), {Code: bpf.MISC | bpf.TAX}, bpf.Load(bpf.OffArgs + 8), {Code: bpf.JMP | bpf.JEQ | bpf.X, Jf: 1},
		bpf.Ret(bpf.RetAllow), bpf.Ret(bpf.Errno(1)),
	}.MarshalBinary()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "compared.bpf"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("../../pkg/verify/testdata/docker-x86_64-runc.bpf")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "docker.bpf"), program, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every command takes "-" for stdin, and what decompile writes is the program's
// profile: verify says so.
func TestDecompileFromStdin(t *testing.T) {
	dir := rewriting(t)
	program, err := os.ReadFile(filepath.Join(dir, "docker.bpf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"oci", "docker"} {
		profile, stderr, code := invoke(dir, string(program), "decompile", "--filter", "-", "--format", format)
		if code != 0 || stderr != "" {
			t.Fatalf("%s: code %d: %s", format, code, stderr)
		}
		if docker := strings.Contains(profile, "archMap"); docker != (format == "docker") {
			t.Errorf("%s: %s", format, profile)
		}
		stdout, stderr, code := invoke(dir, profile, "verify", "--program", "@docker.bpf", "-")
		if code != 0 || !strings.HasPrefix(stdout, "equal") {
			t.Errorf("%s: code %d: %s%s", format, code, stdout, stderr)
		}
	}
}

// TestRewrite: what the commands write and how they end.
func TestRewrite(t *testing.T) {
	dir := rewriting(t)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr []string // parts, none: empty
	}{
		{"decompile", 64, nil, []string{"one of --filter, --pid and ID"}},
		{"decompile --filter @docker.bpf --format xml", 64, nil, []string{"must be oci"}},
		{"decompile --filter @docker.bpf --format text", 0, []string{"default: ERRNO(1)\narchitectures: x86_64\nALLOW: accept", "ALLOW if arg0 & 0x7e020000 == 0x0: clone"}, nil},
		{"decompile --filter @compared.bpf", 1, nil, []string{"x86_64:socket: ALLOW, in the profile ERRNO(1): it compares arguments with each other, or computes with them, in a way that no rules say (program 0, line 12: return ALLOW)", "--lossy writes one that allows no more"}},
		{"decompile --lossy --format text --filter @compared.bpf", 0, []string{"default: ALLOW\narchitectures: x86_64\nERRNO(1): socket\n"}, []string{"x86_64:socket"}},
		{"merge @allow.json", 64, nil, []string{"requires at least 2"}},
		{"merge --mode sum @allow.json @deny.json", 64, nil, []string{"must be stack or union"}},
		// What one profile denies is denied; its errno is kept.
		{"merge --format text --arch x86_64 @allow.json @deny.json", 0, []string{"default: ERRNO(1)", "ALLOW: read\n", "ERRNO(13): write", "ALLOW if arg0 == 0x1: socket"}, []string{"no_such_call", "0x80000000 to 0xbfffffff"}},
		{"merge --format text --arch x86_64 --mode union @deny.json @deny.json", 0, []string{"default: ALLOW", "ERRNO(13): write"}, nil},
		{"merge --arch x86_64 @notify.json @other.json", 1, nil, []string{"different agents"}},
		{"merge --arch x86_64 @notify.json @deny.json", 0, []string{`"listenerPath": "/run/a"`, "SCMP_ACT_NOTIFY"}, nil},
		{"merge --format text --arch x86_64 @web.yaml @allow.json", 0, []string{"ALLOW: read write\n"}, []string{"no_such_call"}},
		{"format @web.yaml", 1, nil, []string{"no canonical form"}},
		{"format --check @allow.json", 1, []string{"allow.json"}, nil},
		{"format @allow.json", 0, []string{"\"names\": [\n        \"no_such_call\",\n        \"read\",\n        \"write\"\n"}, nil},
		{"format @allow.json @deny.json", 64, nil, []string{"--check or --write"}},
		{"minimize @allow.json", 0, []string{"\"read\",\n        \"write\""}, []string{"rule 0: no_such_call: no architecture has the call"}},
		{"lint --format json @web.yaml", 0, []string{"["}, nil},
	} {
		t.Run(c.args, func(t *testing.T) {
			stdout, stderr, code := invoke(dir, "", strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("code %d, %d expected: %s", code, c.code, stderr)
			}
			for _, out := range []struct {
				name, text string
				want       []string
			}{{"stdout", stdout, c.stdout}, {"stderr", stderr, c.stderr}} {
				if len(out.want) == 0 && out.text != "" {
					t.Errorf("%s:\n%s", out.name, out.text)
				}
				for _, part := range out.want {
					if !strings.Contains(out.text, part) {
						t.Errorf("%s has no %q:\n%s", out.name, part, out.text)
					}
				}
			}
		})
	}
}

// Format is idempotent.
func TestFormatTwice(t *testing.T) {
	dir := rewriting(t)
	if _, stderr, code := invoke(dir, "", "format", "--write", "@allow.json"); code != 0 {
		t.Fatal(stderr)
	}
	if stdout, stderr, code := invoke(dir, "", "format", "--check", "@allow.json"); code != 0 || stdout+stderr != "" {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
}

// sectionOf returns the section of a page under a heading.
func sectionOf(page, heading string) string {
	section := page[max(strings.Index(page, "## "+heading+"\n"), 0):]
	if end := strings.Index(section[1:], "\n## "); end > 0 {
		section = section[:end+1]
	}
	return section
}

// fieldsOf returns the names of all fields, those of objects within objects and
// lists too; but for the profile's, which have the runtime-spec for a document.
func fieldsOf(document any) []string {
	var names []string
	switch d := document.(type) {
	case map[string]any:
		for name, value := range d {
			if names = append(names, name); name != "profile" || !isObject(value) {
				names = append(names, fieldsOf(value)...)
			}
		}
	case []any:
		for _, value := range d {
			names = append(names, fieldsOf(value)...)
		}
	}
	return names
}

func isObject(value any) bool {
	_, is := value.(map[string]any)
	return is
}

// TestSchemas: the JSON has the version and the fields that docs/json.md lists.
func TestSchemas(t *testing.T) {
	dir := rewriting(t)
	documented := documentation(t, "json.md")
	for _, args := range []string{
		"decompile --format json --filter @docker.bpf",
		"decompile --format json --lossy --filter @compared.bpf",
		"merge --format json --arch x86_64 @allow.json @deny.json",
		"merge --format json --lossy --mode union --arch x86_64,x86 @allow.json @trap.json",
		"minimize --format json @allow.json",
		"compile --format json @deny.json",
		"cache --format json --filter @docker.bpf",
		"verify --format json --against @deny.json @deny.json",
		"version --format json",
	} {
		stdout, stderr, code := invoke(dir, "", strings.Fields(args)...)
		var fields map[string]any
		if err := json.Unmarshal([]byte(stdout), &fields); err != nil || code != 0 {
			t.Errorf("%s: code %d, %v: %s", args, code, err, stderr)
			continue
		}
		if fields["version"] != float64(schemaVersion) {
			t.Errorf("%s: version %v", args, fields["version"])
		}
		command := strings.Fields(args)[0]
		section := sectionOf(documented, command)
		if command == "merge" {
			section += sectionOf(documented, "decompile") // to which it points
		}
		for _, name := range fieldsOf(fields) {
			if strings.HasPrefix(name, "io.seccomp-hook.") {
				continue // of annotations, which docs/annotations.md lists
			}
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/json.md, %s: no %q", command, name)
			}
		}
	}
	// Of eval there is one object a line.
	stdout, stderr, code := invoke(dir, "x86_64\tread\n", "eval", "--format", "json", "--filter", "@docker.bpf")
	if want := `{"version":1,"arch":3221225534,"number":0,"return":2147418112,"action":"ALLOW"}` + "\n"; code != 0 || stdout != want {
		t.Errorf("eval: %d %s%s", code, stdout, stderr)
	}
}
