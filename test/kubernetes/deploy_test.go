package kubernetes

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	nodes "k8s.io/api/node/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const deploy = "../../hack/deploy"

// programs are what `make build` makes and what a host gets, all of it.
var programs = []string{"containerd-shim-seccomp-v2", "seccomp-hook", "seccomp-hook-announce", "seccomp-hook-runtime", "seccomp-runc"}

// objects are Kubernetes' types by what a document says it is.
var objects = map[string]func() any{
	"apps/v1/DaemonSet":                  func() any { return new(apps.DaemonSet) },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return new(networking.NetworkPolicy) },
	"node.k8s.io/v1/RuntimeClass":        func() any { return new(nodes.RuntimeClass) },
	"v1/Pod":                             func() any { return new(core.Pod) },
}

// read decodes the documents of a file of hack/deploy, strictly: a property that
// Kubernetes does not have, or has with another type, is an error.
func read(t *testing.T, name string) []any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, name, text)
}

// decode is read for a text.
func decode(t *testing.T, name string, text []byte) []any {
	t.Helper()
	var all []any
	for i, document := range bytes.Split(text, []byte("\n---\n")) {
		var kind struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &kind); err != nil {
			t.Fatalf("%s: document %d: %v", name, i, err)
		}
		make, known := objects[kind.APIVersion+"/"+kind.Kind]
		if !known {
			t.Fatalf("%s: document %d: no type for %s %s", name, i, kind.APIVersion, kind.Kind)
		}
		object := make()
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s: document %d: %v", name, i, err)
		}
		all = append(all, object)
	}
	return all
}

func TestManifests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(deploy, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no manifests", err)
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue // of TestKustomization
		}
		t.Run(filepath.Base(file), func(t *testing.T) { read(t, filepath.Base(file)) })
	}
}

// TestManifestsAgree: what one file refers to, another one has.
func TestManifestsAgree(t *testing.T) {
	class := read(t, "runtimeclass.yaml")[0].(*nodes.RuntimeClass)
	set := read(t, "daemonset.yaml")[0].(*apps.DaemonSet)
	pod := read(t, "pod.yaml")[0].(*core.Pod)
	if pod.Spec.RuntimeClassName == nil || *pod.Spec.RuntimeClassName != class.Name {
		t.Errorf("the pod's class is %v, not %s", pod.Spec.RuntimeClassName, class.Name)
	}
	for label, value := range class.Scheduling.NodeSelector {
		if set.Spec.Template.Spec.NodeSelector[label] != value {
			t.Errorf("the DaemonSet's nodes have no label %s=%s", label, value)
		}
	}
	for label, value := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[label] != value {
			t.Errorf("the DaemonSet does not select its pods by %s", label)
		}
	}
	volumes := map[string]bool{}
	for _, v := range set.Spec.Template.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range set.Spec.Template.Spec.Containers {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("container %s mounts %s, which is no volume", c.Name, m.Name)
			}
		}
		if probe := c.ReadinessProbe.Exec.Command[0]; !slices.Contains(applets(t), probe) {
			t.Errorf("container %s is probed by %s, which is not in the image", c.Name, probe)
		}
	}
	for _, file := range []string{"containerd.toml", "containerd-1.toml"} {
		text, err := os.ReadFile(filepath.Join(deploy, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `.containerd.runtimes.`+class.Handler+"]\n") {
			t.Errorf("%s: no handler %s", file, class.Handler)
		}
	}
}

// TestKustomization: what `kubectl apply -k` makes of the folders is of Kubernetes'
// types, and has all files.
func TestKustomization(t *testing.T) {
	for folder, want := range map[string]string{deploy: "", deploy + "-default": "yes"} {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
			if err != nil {
				t.Fatal(err)
			}
			text, err := made.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			value, own, classes, kinds := "", "", map[string]string{}, map[string]bool{}
			for _, object := range decode(t, folder, text) {
				kinds[reflect.TypeOf(object).Elem().Name()] = true
				if class, is := object.(*nodes.RuntimeClass); is {
					classes[class.Name] = class.Handler
				}
				if set, is := object.(*apps.DaemonSet); is {
					if name := set.Spec.Template.Spec.RuntimeClassName; name != nil {
						own = *name
					}
					c := set.Spec.Template.Spec.Containers[0]
					if c.Image != "seccomp-hook:latest" || set.Namespace != "kube-system" || set.Spec.Template.Spec.NodeSelector["seccomp-hook/runtime"] != "true" {
						t.Errorf("image %s, namespace %s, nodes %v", c.Image, set.Namespace, set.Spec.Template.Spec.NodeSelector)
					}
					for _, env := range c.Env {
						if env.Name == "DEFAULT" {
							value = env.Value
						}
					}
				}
			}
			if value != want || !kinds["DaemonSet"] || !kinds["RuntimeClass"] || !kinds["NetworkPolicy"] {
				t.Errorf("DEFAULT is %q, want %q; kinds %v", value, want, kinds)
			}
			// Where the shim is the default it is not that of its installer.
			if classes["seccomp"] != "seccomp" || (want == "yes") != (classes[own] == "runc") {
				t.Errorf("the installer's class is %q of %v", own, classes)
			}
		})
	}
}

// TestNodeDefault: where it is asked for, the configuration makes the shim the
// default, in the words of its version.
func TestNodeDefault(t *testing.T) {
	t.Setenv("DEFAULT", "yes")
	for version, plugin := range map[string]string{"2": "io.containerd.grpc.v1.cri", "3": "io.containerd.cri.v1.runtime"} {
		host, source := t.TempDir(), packed(t)
		write(t, filepath.Join(host, "etc/containerd/config.toml"), "version = "+version+"\n")
		if err := node(t, source, host, "install"); err != nil {
			t.Fatal(err)
		}
		file := map[string]string{"2": "config.toml", "3": "conf.d/seccomp-hook.toml"}[version]
		text, err := os.ReadFile(filepath.Join(host, "etc/containerd", file))
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			Plugins map[string]struct {
				Containerd struct {
					Default  string `toml:"default_runtime_name"`
					Runtimes map[string]any
				}
			}
		}
		if err := toml.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		if c := config.Plugins[plugin].Containerd; c.Default != "seccomp" || c.Runtimes["seccomp"] == nil {
			t.Errorf("version %s: %s", version, text)
		}
	}
}

// TestHooksD: the file for Podman and CRI-O is of their hooks.d schema, 1.0.0.
func TestHooksD(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "hooks.d/seccomp-hook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var hook struct {
		Version string `json:"version"`
		Hook    struct {
			Path string   `json:"path"`
			Args []string `json:"args"`
		} `json:"hook"`
		When struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"when"`
		Stages []string `json:"stages"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&hook); err != nil {
		t.Fatal(err)
	}
	if hook.Version != "1.0.0" || !filepath.IsAbs(hook.Hook.Path) || len(hook.Stages) != 1 || hook.Stages[0] != hook.Hook.Args[1] {
		t.Errorf("%+v", hook)
	}
}

// TestNode: what node.sh installs it takes away, and nothing else.
func TestNode(t *testing.T) {
	const imported, runtime = "/etc/containerd/conf.d/*.toml", "containerd.runtimes.seccomp]"
	for _, tc := range []struct {
		name, config string
		want         string // part of what the configuration says then
		fails        bool
	}{
		{"no configuration", "", runtime, false},
		{"version 2", "version = 2\n[plugins]\n", "version = 2\n[plugins]\n", false},
		{"version 2 without an end of line", "version = 2\n[plugins]", "version = 2\n[plugins]\n", false},
		{"version 2 with no imports", "version = 2\nimports = []\n", runtime, false},
		{"version 2 with imports", "version = 2\nimports = ['" + imported + "']\n", "", true},
		{"version 3", "version = 3\n", imported, false},
		{"version 3 with no imports", "imports = []\nversion = 3\n", imported, false},
		{"imports of its own", "version = 3\nimports = ['/etc/containerd/conf.d/*.toml', '/x']\n", "'/x'", false},
		{"other imports", "version = 3\nimports = ['/x']\n", "", true},
		{"version 1", "version = 1\n", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host, source := t.TempDir(), packed(t)
			write(t, filepath.Join(host, "usr/local/bin/other"), "")
			if tc.config != "" {
				write(t, filepath.Join(host, "etc/containerd/config.toml"), tc.config)
			}
			before := tree(t, host)
			err := node(t, source, host, "install")
			if (err != nil) != tc.fails {
				t.Fatal(err)
			}
			if !tc.fails {
				config, err := os.ReadFile(filepath.Join(host, "etc/containerd/config.toml"))
				if err != nil || !strings.Contains(string(config), tc.want) {
					t.Errorf("%v: configuration:\n%s", err, config)
				}
				if err := node(t, source, host, "install"); err != nil { // as after a restart of the pod
					t.Fatal(err)
				}
				installed(t, filepath.Join(host, "usr/local/bin"))
			}
			if err := node(t, source, host, "remove"); err != nil {
				t.Fatal(err)
			}
			if after := tree(t, host); after != before && after != strings.Replace(before, "[plugins]", "[plugins]\n", 1) {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// packed makes a folder as the DaemonSet's image has it. Each program holds its
// name.
func packed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"node.sh", "containerd.toml", "containerd-1.toml"} {
		copyFile(t, filepath.Join(deploy, name), filepath.Join(dir, name))
	}
	for _, name := range programs {
		write(t, filepath.Join(dir, name), name)
	}
	return dir
}

// node runs node.sh of a folder on a node, whose root is another folder.
// There it finds the programs that the image has, and no others.
func node(t *testing.T, source, host, verb string) error {
	t.Helper()
	path := t.TempDir()
	for _, name := range applets(t) {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", filepath.Join(source, "node.sh"), verb)
	cmd.Env = append(os.Environ(), "HOST="+host, "PATH="+path)
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %s", verb, out)
	return err
}

// applets are the programs of busybox in the DaemonSet's image.
func applets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../hack/image.sh")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^applets='(.+)'$`).FindSubmatch(text)
	if list == nil {
		t.Fatal("hack/image.sh names no applets")
	}
	return strings.Fields(string(list[1]))
}

// installed checks that a folder has all programs, each as it was built.
func installed(t *testing.T, dir string) {
	t.Helper()
	for _, name := range programs {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || string(text) != name || info.Mode() != 0o755 {
			t.Errorf("%s is a file %v of %q, %v", name, info.Mode(), text, err)
		}
	}
}

// TestNodeLink: where there was no C compiler seccomp-runc is a link, on the node
// as well, also in the place of a program.
func TestNodeLink(t *testing.T) {
	host, source := t.TempDir(), packed(t)
	front := filepath.Join(source, "seccomp-runc")
	for _, step := range []func() error{
		func() error { return node(t, source, host, "install") },
		func() error { return os.Remove(front) },
		func() error { return os.Symlink("seccomp-hook", front) },
		func() error { return node(t, source, host, "install") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if target, err := os.Readlink(filepath.Join(host, "usr/local/bin/seccomp-runc")); err != nil || target != "seccomp-hook" {
		t.Error(target, err)
	}
	if info, err := os.Lstat(filepath.Join(host, "usr/local/bin/seccomp-hook")); err != nil || info.Mode() != 0o755 {
		t.Error(info, err)
	}
}

// TestNodeWithoutAnnouncer: on arm64 there is none, and nothing else may be missing.
func TestNodeWithoutAnnouncer(t *testing.T) {
	for name, fails := range map[string]bool{"seccomp-hook-announce": false, "seccomp-hook-runtime": true} {
		host, source := t.TempDir(), packed(t)
		if err := os.Remove(filepath.Join(source, name)); err != nil {
			t.Fatal(err)
		}
		if err := node(t, source, host, "install"); (err != nil) != fails {
			t.Errorf("without %s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(host, "usr/local/bin", name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// TestFrontWithoutCompiler: where there is no gcc, what is built is the link.
func TestFrontWithoutCompiler(t *testing.T) {
	path, output := t.TempDir(), filepath.Join(t.TempDir(), "seccomp-runc")
	write(t, output, "what was built before")
	for _, name := range []string{"bash", "dirname", "go", "ln", "rm"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(path, "bash"), "../../hack/build-front.sh", output)
	cmd.Env = append(os.Environ(), "PATH="+path)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "it is a link to seccomp-hook") {
		t.Errorf("%v: %s", err, out)
	}
	if target, err := os.Readlink(output); err != nil || target != "seccomp-hook" {
		t.Error(target, err)
	}
}

// tree describes the files below a directory; directories that are empty do not
// count.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		b.WriteString(strings.TrimPrefix(path, dir) + ": " + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	text, err := io.ReadAll(source)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}
