//go:build integration && kubernetes

package kubernetes

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"seccomp-hook/test/integration"
)

// handlerOfFront is the name of a runtime handler that is containerd's own shim with
// seccomp-runc in runc's place.
const handlerOfFront = "front"

// compared are the runtime handlers in the table's order: the first is plain runc.
var compared = [...]string{"runc", handler, handlerOfFront}

// outcomes is what came of a spec with each of the handlers: pass, fail or skip.
type outcomes [len(compared)]string

// unset are the profiles of containers that name none, in the table's order. With the
// second one every container has a filter that is not privileged or unconfined.
var unset = [...]string{"unconfined", "runtime/default"}

// knownOutcomes is the table of all specs. A line has the outcomes with the first of
// unset, those with the second, the spec, and where not all are pass "# reason".
//
//go:embed testdata/critest.txt
var knownOutcomes string

// unprovided are the specs that are left out for all handlers alike, by the regular
// expression that critest takes.
const unprovided = `Image Manager|Image Consistency|Image Identifier|Image Volume|AppArmor|SELinux|NRI`

// cniPlugins is where Debian's containernetworking-plugins has its programs.
const cniPlugins = "/usr/lib/cni"

// TestCritest runs the validation of cri-tools against plain runc, the shim, and
// containerd's shim with seccomp-runc. What passes or is skipped there must here, too.
// `-v` shows the table.
//
// What pulls from registries is left out, and what tests AppArmor, SELinux and NRI.
func TestCritest(t *testing.T) {
	known, err := parseOutcomes(knownOutcomes)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][len(unset)]outcomes{}
	for i, profile := range unset {
		t.Run("no profile is "+profile, func(t *testing.T) {
			met, details := critest(t, profile)
			for spec, got := range met {
				row := rows[spec]
				row[i] = got
				rows[spec] = row
				t.Run(spec, func(t *testing.T) {
					compareOutcomes(t, known[spec].rows[i], got, known[spec].reason+"\n"+details[spec])
				})
			}
		})
	}
	var table strings.Builder
	for _, spec := range slices.Sorted(maps.Keys(rows)) {
		row := rows[spec]
		fmt.Fprintf(&table, "%s  %s  %s\n", strings.Join(row[0][:], " "), strings.Join(row[1][:], " "), spec)
	}
	for spec := range known {
		if _, ran := rows[spec]; !ran {
			t.Errorf("in the table, and critest has no such spec: %s", spec)
		}
	}
	t.Logf("critest\n%s", table.String())
}

// critest runs critest with all handlers of a daemon whose containers have a profile
// where they name none, and returns what came of each spec, and why.
func critest(t *testing.T, profile string) (met map[string]outcomes, details map[string]string) {
	t.Helper()
	inside := namespace(t)
	n := startWorkerWith(t, fmt.Sprintf("  unset_seccomp_profile = %q\n", profile)+bridge(t)+`
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.`+handlerOfFront+`]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.`+handlerOfFront+`.options]
  BinaryName = "`+integration.Product(t, "seccomp-runc")+`"
`, integration.By(inside...))
	n.importCritestImages()
	met, details = map[string]outcomes{}, map[string]string{}
	for i, name := range compared {
		began := time.Now()
		for _, spec := range n.critest(inside, name) {
			row := met[spec.name]
			row[i] = spec.outcome
			met[spec.name] = row
			if spec.detail != "" {
				details[spec.name] += name + ": " + spec.detail + "\n"
			}
		}
		t.Logf("%s: %.0f s", name, time.Since(began).Seconds())
		n.sweep(t)
	}
	return met, details
}

// compareOutcomes compares what came of a spec with the table. Where the machine is
// another one, so that plain runc does not do what the table says, the others must do
// what plain runc does.
func compareOutcomes(t *testing.T, known, got outcomes, why string) {
	switch {
	case known == outcomes{}:
		t.Errorf("not in the table: %v\n%s", got, why)
	case got == known && got[0] != "pass":
		t.Skipf("%v: %s", got, why)
	case got == known:
	case got[0] == known[0]:
		t.Errorf("%v, and in the table %v\n%s", got, known, why)
	default:
		for i, outcome := range got[1:] {
			if got[0] != "fail" && outcome != got[0] && outcome != "pass" {
				t.Errorf("plain runc: %s, %s: %s\n%s", got[0], compared[i+1], outcome, why)
			}
		}
		t.Logf("another machine than the table's: %v, and there %v\n%s", got, known, why)
	}
}

type knownSpec struct {
	rows   [len(unset)]outcomes
	reason string
}

func parseOutcomes(text string) (map[string]knownSpec, error) {
	const columns = len(unset) * len(compared)
	known := map[string]knownSpec{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row, reason, explained := strings.Cut(line, " # ")
		words := strings.Fields(row)
		if len(words) <= columns {
			return nil, fmt.Errorf("a line of the table without a spec: %s", line)
		}
		if passes := !slices.ContainsFunc(words[:columns], func(outcome string) bool { return outcome != "pass" }); passes == explained {
			return nil, fmt.Errorf("a reason is for what does not pass, and for nothing else: %s", line)
		}
		spec := knownSpec{reason: reason}
		for i := range spec.rows {
			spec.rows[i] = outcomes(words[i*len(compared):])
		}
		known[strings.Join(words[columns:], " ")] = spec
	}
	return known, nil
}

// namespace makes a network namespace with a loopback device and returns the command
// that runs another one inside. critest's pods have fixed ports of the host.
func namespace(t *testing.T) []string {
	t.Helper()
	name := fmt.Sprintf("sht-critest-%d", os.Getpid())
	integration.MustCommand(t, "ip", "netns", "add", name)
	t.Cleanup(func() { integration.MustCommand(t, "ip", "netns", "delete", name) })
	inside := []string{"nsenter", "--net=/run/netns/" + name}
	integration.MustCommand(t, inside[0], inside[1], "ip", "link", "set", "lo", "up")
	return inside
}

// bridge writes what a daemon's pods get their network by, a bridge and ports of the
// host, and returns the configuration of it.
func bridge(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(cniPlugins); err != nil {
		t.Fatalf("it takes the Debian package containernetworking-plugins: %v", err)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "bridge.conflist"), fmt.Appendf(nil, `{"cniVersion": "1.0.0", "name": "critest", "plugins": [
		{"type": "bridge", "bridge": "critest", "isGateway": true,
			"ipam": {"type": "host-local", "ranges": [[{"subnet": "198.51.100.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": %q}},
		{"type": "portmap", "capabilities": {"portMappings": true}}
	]}`, filepath.Join(dir, "addresses")), 0o644))
	return fmt.Sprintf("[plugins.\"io.containerd.cri.v1.runtime\".cni]\n  bin_dirs = [%q]\n  conf_dir = %q\n  use_internal_loopback = true\n", cniPlugins, dir)
}

// importCritestImages makes the images that critest wants, by the names that it has
// written into it: busybox, what Debian's busybox has not, and a program of our own.
func (n *worker) importCritestImages() {
	n.t.Helper()
	write := func(path, text string, mode fs.FileMode) {
		path = filepath.Join(n.Rootfs, path)
		must(n.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(n.t, os.WriteFile(path, []byte(text), mode))
		must(n.t, os.Chmod(path, mode))
	}
	write("etc/passwd", "root:x:0:0::/root:/bin/sh\ndefault-user:x:1000:1000::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", 0o644)
	write("etc/group", "root:x:0:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\nnobody:x:65534:\n", 0o644)
	write("bin/ipcs", "#!/bin/sh\nexec cat /proc/sysvipc/shm\n", 0o755)
	write("bin/pgrep", "#!/bin/sh\nexec pidof \"$1\"\n", 0o755)
	write("var/run/.keep", "", 0o644)
	program := filepath.Join(n.Rootfs, "bin/nginx")
	integration.MustCommand(n.t, "env", "CGO_ENABLED=0", "go", "-C", filepath.Join(integration.Root(n.t), "test/kubernetes"), "build", "-trimpath", "-o", program, "./critestimage")
	text, err := os.ReadFile(program)
	must(n.t, err)
	write("bin/httpd-server", string(text), 0o755)
	write("bin/nonewprivs", string(text), 0o755|fs.ModeSetuid)
	const official, staging = "registry.k8s.io/e2e-test-images/", "gcr.io/k8s-staging-cri-tools/"
	for name, command := range map[string][]string{
		official + "busybox:1.29-2":                               {"sh"},
		official + "nginx:1.14-2":                                 {"nginx", "80"},
		official + "httpd:2.4.39-4":                               {"httpd-server", "80"},
		official + "nonewprivs:1.3":                               {"nonewprivs"},
		staging + "hostnet-nginx-" + goruntime.GOARCH + ":latest": {"nginx", "12003"},
		staging + "test-image-predefined-group:latest":            {"sh"},
	} {
		n.importImage(name, command...)
	}
}

// criticized is what critest says of a spec.
type criticized struct{ name, outcome, detail string }

// critest runs critest with a runtime handler.
func (n *worker) critest(inside []string, handler string) []criticized {
	n.t.Helper()
	dir := n.t.TempDir()
	report := filepath.Join(dir, "report.json")
	argv := append(slices.Clone(inside), integration.Tool(n.t, "kubernetes/critest"),
		"--runtime-endpoint", "unix://"+n.Address(), "--runtime-handler", handler,
		"--ginkgo.skip", unprovided, "--ginkgo.seed", "1", "--ginkgo.no-color", "--ginkgo.json-report", report)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	// It fails where a spec does.
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		n.t.Fatalf("%v\n%s", err, output)
	}
	var suites []struct {
		SpecReports []struct {
			ContainerHierarchyTexts           []string
			LeafNodeType, LeafNodeText, State string
			Failure                           struct{ Message string }
		}
	}
	must(n.t, json.Unmarshal(text, &suites))
	var specs []criticized
	for _, suite := range suites {
		for _, r := range suite.SpecReports {
			outcome := "fail"
			switch {
			case r.LeafNodeType != "It" && r.State == "passed":
				continue
			case r.LeafNodeType != "It":
				n.t.Fatalf("%s: %s: %s", r.LeafNodeType, r.State, r.Failure.Message)
			case r.State == "skipped" && r.Failure.Message == "": // by this test, or as a benchmark
				continue
			case r.State == "skipped":
				outcome = "skip"
			case r.State == "passed":
				outcome = "pass"
			}
			name := strings.TrimPrefix(strings.Join(append(r.ContainerHierarchyTexts, r.LeafNodeText), " "), "[k8s.io] ")
			specs = append(specs, criticized{name, outcome, r.Failure.Message})
		}
	}
	return specs
}
