package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

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
			if f.Name != "help" && !f.Hidden && !regexp.MustCompile("--"+f.Name+"\\b").MatchString(text) {
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

// TestPagesHavePurpose: below its title a page says at once what it is for.
func TestPagesHavePurpose(t *testing.T) {
	for name, text := range pages(t) {
		if strings.HasPrefix(name, "docs/") && !regexp.MustCompile(`^# \S.*\n\nThis page (says|is for|lists|has) `).MatchString(text) {
			t.Errorf("%s does not begin with a title and a line that says what it is for", name)
		}
		if strings.Count(text, "```console\n") != strings.Count(text, "```console\n$ seccomp-hook ")+strings.Count(text, "```console\n$ printf ") {
			t.Errorf("%s has a console block that no test runs", name)
		}
	}
}

// TestPagesAreNarrow: no line is longer than 100 columns, but for rows of
// tables, output, and addresses, which cannot be broken.
func TestPagesAreNarrow(t *testing.T) {
	for name, text := range pages(t) {
		output := false
		for i, line := range strings.Split(text, "\n") {
			switch bare := strings.TrimSpace(line); {
			case strings.HasPrefix(bare, "```"):
				output = bare == "```console" || bare == "```text"
			case output, strings.HasPrefix(bare, "|"), strings.HasPrefix(bare, "http"):
			case utf8.RuneCountInString(line) > 100:
				t.Errorf("%s:%d: %d columns: %s", name, i+1, utf8.RuneCountInString(line), line)
			}
		}
	}
}

// TestPagesLead: every link between pages leads to a file, and to a heading in
// it.
func TestPagesLead(t *testing.T) {
	headings := func(text string) map[string]bool {
		all := map[string]bool{}
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			// As GitHub makes an anchor of a heading.
			anchor := regexp.MustCompile(`[^\pL\pN_ -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
			all[strings.ReplaceAll(anchor, " ", "-")] = true
		}
		return all
	}
	for name, text := range pages(t) {
		for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(link[1], "#")
			target := []byte(text)
			if file != "" {
				var err error
				path := filepath.Join("../..", filepath.Dir(name), file)
				if info, err := os.Stat(path); err == nil && info.IsDir() {
					continue
				}
				if target, err = os.ReadFile(path); err != nil {
					t.Errorf("%s leads to %s: %v", name, link[1], err)
					continue
				}
			}
			if anchor != "" && !headings(string(target))[anchor] {
				t.Errorf("%s leads to %s: no such heading", name, link[1])
			}
		}
	}
}

// TestErrorsAreTold: the words of errors that docs/troubleshooting.md tells apart
// are those of the program's text.
func TestErrorsAreTold(t *testing.T) {
	var source strings.Builder
	files, err := filepath.Glob("../../pkg/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	_, table, _ := strings.Cut(documentation(t, "troubleshooting.md"), "## What it means\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| ([^|]*`+"`"+`[^|]*) \|`).FindAllStringSubmatch(table, -1)
	if len(rows) < 5 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, words := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(row[1], -1) {
			for part := range strings.SplitSeq(words[1], "…") {
				if !strings.Contains(source.String(), part) {
					t.Errorf("no error says %q", part)
				}
			}
		}
	}
}

// blocks are the code blocks of the pages that a reader types or copies, but for
// those that TestDocumentationIsTrue runs: the page and the block's first line,
// and the test or the step of hack/test.sh that runs it, or that uses it as it
// stands; or, in parentheses, why none does.
var blocks = map[string]string{
	"README.md: sudo make demo": "hack/demo.sh",
	"README.md: make deb && sudo apt install ./bin/seccomp-hook_*_amd64.deb":               "TestDebianPackage",
	"README.md: {\"runtimes\": {\"seccomp-runc\": {\"path\": \"/usr/bin/seccomp-runc\"}}}": "TestEngineDocker",
	"README.md: sudo systemctl reload docker":                                              "TestEngineDocker",
	"README.md: {": "TestDocumentedHook",
	"docs/authoring.md: $ seccomp-hook record --output app.json -- /bin/busybox sh bundle/rootfs/bin/app":            "TestAuthoring",
	"docs/authoring.md: $ seccomp-hook lint app.json":                                                                "TestAuthoring",
	"docs/authoring.md: $ seccomp-hook diff app.json builtin:docker":                                                 "TestAuthoring",
	"docs/authoring.md: $ seccomp-runc run --detach --bundle bundle app </dev/null >/dev/null 2>&1":                  "TestAuthoring",
	"docs/authoring.md: $ seccomp-hook watch app --denials --for 3s":                                                 "TestAuthoring",
	"docs/authoring.md: $ seccomp-hook explain app.json chroot":                                                      "TestAuthoring",
	"docs/cli.md: seccomp-hook completion bash >/etc/bash_completion.d/seccomp-hook":                                 "TestDebianPackage",
	"docs/cli.md: seccomp-hook warm                               # all that is found on this host":                  "TestWarm",
	"docs/kubernetes.md: seccomp-hook warm                 # RuntimeDefault and all Localhost profiles of this node": "TestWarm",
	"docs/compiler.md: {": "TestDocumentation",
	"docs/containerd.md: image=docker.io/library/busybox:latest":                                 "hack/demo-containerd.sh",
	"docs/development.md: func TestDenied(t *testing.T) {":                                       "TestDenied",
	"docs/kubernetes.md: make image":                                                             "(needs a cluster and a registry; TestManifests, TestNode and TestKustomization hold its files)",
	"docs/kubernetes.md: [plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.seccomp]": "TestContainerdDropIn",
	"docs/runtime.md: cd bin":                                                                    "TestDocumentedInstall",
	"docs/runtime.md: {":                                                                         "TestEngineDocker",
	"docs/runtime.md: [engine]":                                                                  "TestEnginePodman",
	"docs/runtime.md: [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.seccomp]":       "TestContainerdDropIn",
	"docs/runtime.md: [crio.runtime.runtimes.seccomp]":                                           "(the distribution of the tests has no CRI-O)",
	"docs/runtime.md: real_runtime = \"runc\"                # a path, or a name on PATH; default: runc, then crun": "TestDocumentedConfiguration",
}

// TestBlocksAreRun: whatever a page gives to type or to copy is in blocks, with a
// test that there is.
func TestBlocksAreRun(t *testing.T) {
	steps, err := os.ReadFile("../../hack/test.sh")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../test/integration/pages_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(documentation(t, "development.md"), "```go\n")
	if block, _, found := strings.Cut(block, "```"); !found || !strings.Contains(string(example), block) {
		t.Error("TestDenied is not the example of docs/development.md")
	}
	tests := tests(t)
	found := map[string]bool{}
	for name, text := range pages(t) {
		for _, block := range regexp.MustCompile("(?m)^ *```(sh|json|toml|yaml|go)\n(.*)$").FindAllStringSubmatch(text, -1) {
			key := name + ": " + block[2]
			found[key] = true
			switch by := blocks[key]; {
			case by == "":
				t.Errorf("nothing is known to run %s", key)
			case strings.HasPrefix(by, "hack/"):
				if !strings.Contains(string(steps), by) {
					t.Errorf("%s: hack/test.sh does not run %s", key, by)
				}
			case !strings.HasPrefix(by, "(") && !tests[by]:
				t.Errorf("%s: there is no %s", key, by)
			}
		}
	}
	for key := range blocks {
		if !found[key] {
			t.Errorf("there is no block %s", key)
		}
	}
}

// pages are what users read, by their names.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	all := map[string]string{}
	for _, name := range append(names, "../../README.md", "../../CHANGELOG.md", "../../findings/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(name, "../../")] = string(text)
	}
	return all
}

// TestDocumentationIsTrue runs the console blocks of all pages: lines behind a $
// are commands, the others what they print.
func TestDocumentationIsTrue(t *testing.T) {
	var text string
	for _, page := range pages(t) {
		text += page
	}
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
