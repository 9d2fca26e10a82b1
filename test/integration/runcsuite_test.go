//go:build integration

package integration

import (
	"bufio"
	_ "embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"seccomp-hook/pkg/runtime"
)

// suiteFiles are the files of runc's own test suite that are about what this
// project touches: starting processes, and everything on the way to it.
var suiteFiles = []string{
	"seccomp", "seccomp-notify", "hooks", "start_hello", "exec", "create", "start", "run", "state", "delete", "kill",
	"tty", "personality", "capabilities", "env", "userns", "no_pivot",
}

// suiteAll has every file of the suite run with a default profile as well:
// `make test-runc`.
var suiteAll = flag.Bool("suite-all", false, "run every file of runc's test suite, with a filter in every container")

// nearlyOpen is a profile that denies what no test calls, so that every container
// of the suite has a filter.
const nearlyOpen = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["uselib","sysfs"],"action":"SCMP_ACT_ERRNO"}]}`

// suiteTimeout bounds one file of the suite; the longest takes 15 seconds.
const suiteTimeout = 5 * time.Minute

// knownFailures lists the tests of the suite that pass with plain runc and
// cannot pass with seccomp-runc, "file: test # reason" a line.
//
//go:embed testdata/runc-suite-failures.txt
var knownFailures string

// knownFiltered is knownFailures for a suite whose containers all have a filter.
//
//go:embed testdata/runc-suite-filtered.txt
var knownFiltered string

// knownPlain lists the tests that plain runc fails on the machines of the tests, in
// the same form; "*" stands for all tests of the file.
//
//go:embed testdata/runc-suite-plain.txt
var knownPlain string

// TestRuncSuite runs runc's own bats suite, unchanged, against plain runc and
// against seccomp-runc before the same runc. What passes there must pass here,
// but for the listed failures, which must fail. With -suite-all every file runs
// once more with a default profile, so that every container of the suite has a
// filter. `-v` shows the table.
//
// A file with a test that fails here alone is run once more: runc itself has races on
// a loaded machine. The container's first line can come before runc has told its
// terminal not to add carriage returns (tty.go, recvtty).
func TestRuncSuite(t *testing.T) {
	known, err := parseKnownFailures(knownFailures)
	if err != nil {
		t.Fatal(err)
	}
	filtered, err := parseKnownFailures(knownFiltered)
	if err != nil {
		t.Fatal(err)
	}
	plainly, err := parseKnownFailures(knownPlain)
	if err != nil {
		t.Fatal(err)
	}
	suite := newSuite(t)
	runc, ours := Tool(t, "runc"), Product(t, "seccomp-runc")
	profiled := suite.profiled(t)
	files := suiteFiles
	if *suiteAll {
		files = suite.files(t)
	}
	var table strings.Builder
	ran := map[string]bool{} // not those that -run leaves out
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			ran[file] = true
			plain := suite.run(t, file, runc)
			var here results
			if slices.Contains(suiteFiles, file) {
				here = suite.twice(t, plain, known, file, ours)
			}
			var with results
			if *suiteAll {
				with = suite.twice(t, plain, filtered, file, ours, profiled)
			}
			for _, name := range plain.names {
				if plain.results[name].outcome == "fail" && plainly[file+": "+name] == "" && plainly[file+": *"] == "" {
					t.Logf("%s: plain runc fails it, and no reason is listed", name)
				}
				fmt.Fprintf(&table, "%-8s %-8s %-8s %s: %s\n", plain.results[name].outcome, here.results[name].outcome, with.results[name].outcome, file, name)
				if here.names != nil {
					t.Run(name, func(t *testing.T) { compareResults(t, known, file+": "+name, plain.results[name], here.results[name]) })
				}
				if with.names != nil {
					t.Run(name+" with a default profile", func(t *testing.T) {
						compareResults(t, filtered, file+": "+name, plain.results[name], with.results[name])
					})
				}
			}
		})
	}
	for name := range known {
		if file, _, _ := strings.Cut(name, ": "); !ran[file] {
			continue
		}
		t.Errorf("listed as a known failure, and not in the suite: %s", name)
	}
	for name := range filtered {
		if file, _, _ := strings.Cut(name, ": "); *suiteAll && ran[file] {
			t.Errorf("listed as a known failure with a default profile, and not in the suite: %s", name)
		}
	}
	t.Logf("runc's test suite\nplain    ours     profiled test\n%s", table.String())
}

// compareResults compares what came of a test with plain runc and here.
func compareResults(t *testing.T, known map[string]string, name string, want, got result) {
	reason, listed := known[name]
	delete(known, name)
	switch {
	case want.outcome == "skip" && got.outcome == "skip":
		t.Skipf("runc's suite skips it: %s", want.detail)
	case want.outcome == "skip" && got.outcome == "pass":
		// libseccomp of the machine has no WAIT_KILLABLE_RECV.
		t.Logf("plain runc skips it: %s", want.detail)
	case want.outcome == "fail":
		t.Skipf("plain runc fails it on this machine:\n%s", want.detail)
	case listed && got.outcome != "pass":
		t.Logf("known failure: %s", reason)
	case listed:
		t.Errorf("listed as a known failure (%s), and passes", reason)
	case got.outcome != want.outcome:
		t.Errorf("plain runc: %s, seccomp-runc: %s\n%s", want.outcome, got.outcome, got.detail)
	}
}

// suite is a copy of runc's tests folder with what the suite wants beside it.
type suite struct{ dir string }

// profiled returns the variable of a configuration with a default profile.
func (s suite) profiled(t *testing.T) string {
	profile, config := filepath.Join(s.dir, "nearly-open.json"), filepath.Join(s.dir, "config.toml")
	must(t, os.WriteFile(profile, []byte(nearlyOpen), 0o644))
	must(t, os.WriteFile(config, fmt.Appendf(nil, "default_profile = %q\n", profile), 0o644))
	return runtime.EnvConfig + "=" + config
}

// files returns the names of all files of the suite.
func (s suite) files(t *testing.T) []string {
	entries, err := os.ReadDir(filepath.Join(s.dir, "tests/integration"))
	must(t, err)
	var names []string
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".bats"); is {
			names = append(names, name)
		}
	}
	return names
}

func parseKnownFailures(text string) (map[string]string, error) {
	known := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, " # ")
		if !ok {
			return nil, fmt.Errorf("known failure without a reason: %s", line)
		}
		known[name] = reason
	}
	return known, nil
}

func newSuite(t *testing.T) suite {
	module := strings.TrimSpace(MustCommand(t, "go", "-C", filepath.Join(Root(t), "hack/tools/runc"),
		"list", "-m", "-f", "{{.Dir}}", "github.com/opencontainers/runc").Stdout)
	dir := t.TempDir()
	must(t, os.CopyFS(filepath.Join(dir, "tests"), os.DirFS(filepath.Join(module, "tests"))))
	// The module cache keeps no permissions.
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if d.IsDir() || strings.HasSuffix(path, ".sh") {
			mode = 0o755
		}
		return os.Chmod(path, mode)
	}))
	must(t, os.CopyFS(filepath.Join(dir, "tests/cmd/_bin"), os.DirFS(Tool(t, "runc-tests"))))

	rootfs := filepath.Join(dir, "rootfs")
	populate(t, rootfs)
	for _, image := range []string{"busybox", "debian"} {
		MustCommand(t, "tar", "-C", rootfs, "-cJf", filepath.Join(dir, "tests/integration/testdata", image+"-amd64.tar.xz"), ".")
	}
	return suite{dir: dir}
}

// result is what came of one test: pass, fail or skip, and the failure's
// output or the reason for the skip.
type result struct{ outcome, detail string }

type results struct {
	names   []string // in the suite's order
	results map[string]result
}

// run runs a file of the suite with a runtime, on a terminal.
func (s suite) run(t *testing.T, file, runtime string, variables ...string) results {
	t.Helper()
	cmd := exec.Command("timeout", "--kill-after=5", fmt.Sprint(suiteTimeout.Seconds()),
		"script", "--quiet", "--return", "--command", "bats --tap "+file+".bats", "/dev/null")
	cmd.Dir = filepath.Join(s.dir, "tests/integration")
	// seccomp-runc looks for the real runc in PATH, and meets the same one.
	cmd.Env = append(os.Environ(), "RUNC="+runtime, "PATH="+filepath.Join(Root(t), "bin/tools")+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, variables...)
	// At the end of its input script(1) would write an end-of-file to the
	// terminal, so there is none: a pipe that nobody writes to.
	input, held, err := os.Pipe()
	must(t, err)
	defer held.Close()
	defer input.Close()
	cmd.Stdin = input
	r := run(t, cmd)
	got := parseTAP(r.Stdout)
	if len(got.names) == 0 {
		t.Fatalf("%s: no result of %s: %s", runtime, file, r)
	}
	return got
}

// twice is run with seccomp-runc: where what came of a test is neither what came of it
// with plain runc nor a listed failure, the file is run again, and counts then.
func (s suite) twice(t *testing.T, plain results, known map[string]string, file, runtime string, variables ...string) results {
	t.Helper()
	first := s.run(t, file, runtime, variables...)
	for name, want := range plain.results {
		_, listed := known[file+": "+name]
		if got := first.results[name]; want.outcome == "pass" && got.outcome != "pass" && !listed {
			t.Logf("%s: run again after: %s\n%s", name, got.outcome, got.detail)
			return s.run(t, file, runtime, variables...)
		}
	}
	return first
}

// tapLine is a result line of the Test Anything Protocol, as bats writes it.
var tapLine = regexp.MustCompile(`^(ok|not ok) \d+ (.*?)(?: # skip ?(.*))?$`)

func parseTAP(output string) results {
	r := results{results: make(map[string]result)}
	var last string
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		m := tapLine.FindStringSubmatch(line)
		switch {
		case m == nil && last != "" && strings.HasPrefix(line, "#"):
			entry := r.results[last]
			entry.detail += line + "\n"
			r.results[last] = entry
		case m == nil:
		default:
			last = m[2]
			entry := result{outcome: "pass"}
			if m[1] == "not ok" {
				entry.outcome = "fail"
			} else if strings.Contains(line, " # skip") {
				entry = result{outcome: "skip", detail: m[3]}
			}
			r.names = append(r.names, last)
			r.results[last] = entry
		}
	}
	return r
}
