//go:build linux

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"seccomp-hook/pkg/runtime"
)

// The containerd runtime, and the program that containerd looks for because of
// its name.
const (
	shimType = "io.containerd.seccomp.v2"
	shim     = "containerd-shim-seccomp-v2"
)

// engine is a container engine that can be told to use this project.
type engine struct {
	program string
	files   []string // configuration files, later ones decide; see expand
	decode  func([]byte, any) error
	advice  string // where nothing points here
}

func (h *Host) docker(context.Context) []Finding {
	return h.engine(engine{
		program: "dockerd", files: []string{"/etc/docker/daemon.json"}, decode: json.Unmarshal,
		advice: `add it to "runtimes" of /etc/docker/daemon.json (docs/runtime.md)`,
	})
}

func (h *Host) podman(context.Context) []Finding {
	return h.engine(engine{
		program: "podman", decode: toml.Unmarshal,
		files:  []string{"/usr/share/containers/containers.conf", "/etc/containers/containers.conf", "/etc/containers/containers.conf.d/*.conf"},
		advice: "add it to [engine.runtimes] of /etc/containers/containers.conf (docs/runtime.md), or use the hook",
	})
}

func (h *Host) containerd(context.Context) []Finding {
	return h.engine(engine{
		program: "containerd", files: []string{"/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml"}, decode: toml.Unmarshal,
		advice: "for Kubernetes add the runtime to /etc/containerd/config.toml (docs/containerd.md); ctr --runtime " + shimType + " needs no configuration",
	})
}

func (h *Host) crio(context.Context) []Finding {
	return h.engine(engine{
		program: "crio", files: []string{"/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*"}, decode: toml.Unmarshal,
		advice: "add it to /etc/crio/crio.conf.d (docs/runtime.md), or use the hook",
	})
}

// hooks are those that Podman and CRI-O give to every container.
func (h *Host) hooks(context.Context) []Finding {
	return h.engine(engine{
		files:  []string{"/usr/share/containers/oci/hooks.d/*.json", "/etc/containers/oci/hooks.d/*.json"},
		decode: json.Unmarshal,
	})
}

// engine says where the engine's configuration points at this project.
func (h *Host) engine(e engine) []Finding {
	var list []Finding
	for _, name := range e.files {
		for _, file := range h.expand(name) {
			list = append(list, h.file(file, e.decode)...)
		}
	}
	if path, installed := h.find(e.program); len(list) == 0 && e.program != "" && installed {
		return one(Note, e.advice, "%s is not told to use seccomp-hook", path)
	}
	return list
}

// expand returns the file of that name; or, where the name ends in "/*" and a
// suffix, those of the folder that have the suffix, in order.
func (h *Host) expand(name string) []string {
	dir, suffix, many := strings.Cut(name, "/*")
	if !many {
		return []string{filepath.Join(h.Root, name)}
	}
	entries, err := os.ReadDir(filepath.Join(h.Root, dir)) // in order
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
			list = append(list, filepath.Join(h.Root, dir, e.Name()))
		}
	}
	return list
}

// file finds this project's programs in a configuration file.
func (h *Host) file(name string, decode func([]byte, any) error) []Finding {
	shown := strings.TrimPrefix(name, strings.TrimSuffix(h.Root, "/"))
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var tree map[string]any
	if err == nil {
		err = decode(text, &tree)
	}
	if err != nil {
		return one(Note, "", "%s: %s", shown, line(err))
	}
	var list []Finding
	for _, m := range mentions(tree) {
		found := fmt.Sprintf("%s: %s is %s", shown, m.key, m.value)
		if wrong := h.ours(m.value); wrong != "" {
			list = append(list, one(Fail, "install it there, or correct the file", "%s, but %s", found, wrong)...)
		} else {
			list = append(list, one(OK, "", "%s", found)...)
		}
	}
	return list
}

// mention is a place of a configuration file that names a program of ours.
type mention struct{ key, value string }

// mentions walks a tree of maps, lists and values.
func mentions(tree any) []mention {
	var list []mention
	var walk func(key string, node any)
	walk = func(key string, node any) {
		switch node := node.(type) {
		case map[string]any:
			names := make([]string, 0, len(node))
			for name := range node {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				walk(strings.TrimPrefix(key+"."+name, "."), node[name])
			}
		case []any:
			for _, each := range node {
				walk(key, each)
			}
		case string:
			base := filepath.Base(node)
			program := base == runtime.Name || base == "seccomp-hook"
			if node == shimType || program && strings.HasPrefix(node, "/") || program && strings.HasSuffix(key, "runtime") {
				list = append(list, mention{key, node})
			}
		}
	}
	walk("", tree)
	return list
}
