//go:build machine

package machine

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"seccomp-hook/test/integration"
)

var only = flag.String("only", "", "run the tests of this expression in the machines, in the place of a test's own list")

// machine is one of hack/vm.sh's.
type machine struct {
	arch          string // GOARCH
	kernel, suite string // the newest kernel of this series that Debian serves there
	options       []string
}

// suite is a test binary, in a machine.
type suite struct {
	pkg  string   // in the repository
	args []string // of the binary
}

// repository is where what is in the repository is in a machine.
const repository = "/repository"

// run runs the test binaries in the machine; each of their tests is a subtest.
func (m machine) run(t *testing.T, seconds int, suites ...suite) {
	t.Helper()
	overlay := build(t, m.arch, suites)
	var task strings.Builder
	task.WriteString("export SECCOMP_HOOK_TEST_PREBUILT=1\n")
	for _, s := range suites {
		if *only != "" {
			s.args = append(s.args, "-test.run", *only)
		}
		fmt.Fprintf(&task, "cd %s/%s\n%s -test.v=test2json %s\necho \"%s$?\"\n", repository, s.pkg, program(s.pkg), quoted(s.args), ended)
	}
	output := m.boot(t, seconds, overlay, task.String())
	results := strings.SplitAfter(strings.ReplaceAll(output, "\r\n", "\n"), ended)
	for i, s := range suites {
		t.Run(filepath.Base(s.pkg), func(t *testing.T) {
			if i+1 >= len(results) {
				t.Fatal("it did not come to its end:\n", results[len(results)-1])
			}
			compareRows(t, results[i], report(t, strings.TrimSuffix(results[i], ended), results[i+1][0]))
		})
	}
}

// ended is what the machine says behind a test binary, with its exit status.
const ended = "\x16--- the test binary has ended: "

func program(pkg string) string {
	return filepath.Join("/tests", strings.ReplaceAll(pkg, "/", "-"))
}

func quoted(words []string) string {
	var b strings.Builder
	for _, w := range words {
		fmt.Fprintf(&b, " '%s'", w)
	}
	return b.String()
}

// boot runs a shell script in the machine and returns what it has written.
func (m machine) boot(t *testing.T, seconds int, overlay, task string) string {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(overlay, "tests/task"), []byte(task), 0o644))
	args := append([]string{"--arch", m.arch, "--kernel", m.kernel, "--suite", m.suite, "--timeout", fmt.Sprint(seconds)}, m.options...)
	cmd := exec.Command(filepath.Join(integration.Root(t), "hack/vm.sh"), append(args, overlay, "sh", "/tests/task")...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	output, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v", cmd, err)
	}
	return string(output)
}

// event is what test2json says of a test (cmd/test2json).
type event struct{ Action, Test, Output string }

// report makes subtests of what a test binary has written, and returns how each
// ended: "pass", "fail" or "skip".
func report(t *testing.T, output string, status byte) (actions map[string]string) {
	t.Helper()
	convert := exec.Command("go", "tool", "test2json")
	convert.Stdin = strings.NewReader(output)
	text, err := convert.Output()
	must(t, err)
	said, results := map[string]*strings.Builder{"": {}}, []event{}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		var e event
		must(t, json.Unmarshal(lines.Bytes(), &e))
		if said[e.Test] == nil {
			said[e.Test] = new(strings.Builder)
		}
		said[e.Test].WriteString(e.Output)
		if e.Test != "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			results = append(results, e)
		}
	}
	failed := false
	actions = make(map[string]string)
	for _, e := range results {
		actions[e.Test] = e.Action
		t.Run(e.Test, func(t *testing.T) {
			switch e.Action {
			case "fail":
				failed = true
				t.Error("in the machine:\n", said[e.Test])
			case "skip":
				t.Skip(said[e.Test])
			}
		})
	}
	// What dies fails no test.
	if status != '0' && !failed || len(results) == 0 && *only == "" {
		t.Errorf("exit status %c, %d results:\n%s", status, len(results), output)
	}
	return actions
}

// overlays are what lies over a machine's own files, by architecture.
var overlays struct {
	sync.Mutex
	built map[string]string
}

var victims = map[string][]integration.Victim{
	"amd64": {
		integration.Probe, integration.Probe32, integration.First(272), integration.First32(310), integration.FirstTold(272),
		integration.First(250), integration.First32(288),
	},
	"arm64": {
		integration.Probe, integration.Probe32, integration.First(97), integration.First32(337), integration.FirstTold(97),
		integration.First(219), integration.First32(311),
	},
}

// build cross-builds what the tests find in a machine: the product, once more with
// faults, what runs in containers, and the test binaries.
func build(t *testing.T, arch string, suites []suite) (overlay string) {
	t.Helper()
	overlays.Lock()
	defer overlays.Unlock()
	root := integration.Root(t)
	overlay = overlays.built[arch]
	if overlay == "" {
		overlay = filepath.Join(root, ".build/machine", arch)
		must(t, os.RemoveAll(overlay))
		within := filepath.Join(overlay, repository)
		bin, faulty := filepath.Join(within, "bin"), filepath.Join(within, "bin/faulty")
		must(t, os.MkdirAll(filepath.Join(bin, "tools"), 0o755))
		must(t, os.MkdirAll(filepath.Join(overlay, "tests"), 0o755))
		if victims[arch] != nil { // an architecture that containers get their filters on
			compile(t, arch, "make", "-C", root, "build", "BIN="+bin+"/")
			compile(t, arch, "go", "build", "-C", root, "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags", "faults", "-o", faulty+"/",
				"./cmd/seccomp-hook", "./cmd/seccomp-hook-runtime", "./test/integration/testdata/into")
			compile(t, arch, filepath.Join(root, "hack/build-front.sh"), filepath.Join(faulty, "seccomp-runc"), "-DFAULTS")
			buildRunc(t, arch, filepath.Join(bin, "tools/runc"))
			for _, v := range victims[arch] {
				v.Build(t, filepath.Join(within, "victims"), arch)
			}
		}
		if overlays.built == nil {
			overlays.built = make(map[string]string)
		}
		overlays.built[arch] = overlay
	}
	for _, s := range suites {
		binary := filepath.Join(overlay, program(s.pkg))
		if _, err := os.Stat(binary); err == nil {
			continue
		}
		compile(t, arch, "go", "test", "-C", root, "-c", "-trimpath", "-ldflags=-s -w", "-tags", "integration", "-o", binary, "./"+s.pkg)
		directory := filepath.Join(overlay, repository, s.pkg)
		must(t, os.MkdirAll(directory, 0o755))
		if data := filepath.Join(root, s.pkg, "testdata"); exists(data) {
			must(t, os.CopyFS(filepath.Join(directory, "testdata"), os.DirFS(data)))
		}
	}
	return overlay
}

// buildRunc builds the newest runc, a static program, with Debian's libseccomp of that
// architecture: plain runc is what the product is compared with. Where libseccomp lies
// is no matter of pkg-config's, whose answers Go's cache keeps without their question.
func buildRunc(t *testing.T, arch, output string) {
	t.Helper()
	root := integration.Root(t)
	sysroot := filepath.Join(root, ".build/machine/sysroot", arch)
	compile(t, arch, filepath.Join(root, "hack/vm.sh"), "--arch", arch, "--package", "libseccomp-dev", "--unpack", sysroot)
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
	libraries := filepath.Join(sysroot, "usr/lib", triplet)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -extldflags '-static -L"+libraries+"'",
		"-tags", "netgo,osusergo,seccomp", "-o", output, "github.com/opencontainers/runc")
	cmd.Dir = filepath.Join(root, "hack/tools/runc")
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=1", "CC="+triplet+"-gcc",
		"PKG_CONFIG_LIBDIR="+filepath.Join(libraries, "pkgconfig"), "CGO_CFLAGS=-O2 -g -I"+filepath.Join(sysroot, "usr/include"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// compile runs a command for another architecture.
func compile(t *testing.T, arch string, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
