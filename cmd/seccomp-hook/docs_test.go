package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"seccomp-hook/pkg/arch"
)

// documentation returns a file of docs.
func documentation(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentationIsComplete: every command has its section and every flag is
// named.
func TestDocumentationIsComplete(t *testing.T) {
	text := documentation(t, "cli.md")
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !regexp.MustCompile("--"+f.Name+"\\b").MatchString(text) {
				t.Errorf("docs/cli.md does not name --%s of %s", f.Name, cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			if !sub.Hidden && !regexp.MustCompile("(?m)^### .*`"+sub.Name()+"\\b").MatchString(text) {
				t.Errorf("docs/cli.md has no section on %s", sub.CommandPath())
			}
			visit(sub)
		}
	}
	var began bool
	visit(newRoot(&began))
	for _, code := range regexp.MustCompile(`(?m)^ {2}(\d+) `).FindAllStringSubmatch(exitCodes, -1) {
		if !strings.Contains(text, "| "+code[1]+" |") {
			t.Errorf("docs/cli.md does not name exit code %s", code[1])
		}
	}
}

// TestDocumentationIsTrue runs the examples: lines behind a $ are commands, the
// others what they print.
func TestDocumentationIsTrue(t *testing.T) {
	text := documentation(t, "cli.md") + documentation(t, "cache.md")
	if arch.Native().Name != "x86_64" {
		t.Skip("the examples are of x86_64")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if _, stderr, code := invoke(dir, "", "compile", "-o", "docker.bpf", "builtin:docker"); code != 0 {
		t.Fatal(stderr)
	}
	took := regexp.MustCompile(`\([0-9.]+[mµ]?s\)`) // differs from run to run
	examples := regexp.MustCompile("(?s)```console\n\\$ (.*?)\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(examples) < 5 {
		t.Errorf("found %d examples", len(examples))
	}
	for _, example := range examples {
		command, want := example[1], example[2]
		stdin := ""
		if printf, rest, piped := strings.Cut(command, " | "); piped {
			stdin = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(strings.Trim(strings.TrimPrefix(printf, "printf "), "'"))
			command = rest
		}
		// None of the examples has a space within quotes.
		args := strings.Fields(strings.ReplaceAll(command, "'", ""))
		stdout, stderr, _ := invoke(dir, stdin, args[1:]...)
		if took.ReplaceAllString(stdout, "") != took.ReplaceAllString(want, "") {
			t.Errorf("%s prints\n%s%s\nthe documentation says\n%s", command, stdout, stderr, want)
		}
	}
}
