package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"seccomp-hook/pkg/bundle"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/regular"
)

// container is what the real runtime's own state says of a container.
type container struct {
	init   hook.Init
	bundle string
	// annotations are those of config.json, as the runtime has read it.
	annotations map[string]string
	// config is the config.json that an exec takes its defaults from.
	config string
}

// errNoContainer says that the real runtime has no such container.
var errNoContainer = errors.New("container does not exist")

// findContainer reads the real runtime's state of the container.
func (w *wrapper) findContainer() (*container, error) {
	if w.ID == "" || w.ID == "." || w.ID == ".." || strings.ContainsRune(w.ID, '/') {
		return nil, fmt.Errorf("runtime: container %q: %w", w.ID, errNoContainer)
	}
	dir := filepath.Join(w.stateRoot(), w.ID)
	read := readRuncState
	if w.kind == Crun {
		read = readCrunState
	}
	c, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("runtime: container %s: %w (%w)", w.ID, errNoContainer, err)
	}
	if err != nil {
		return nil, fmt.Errorf("runtime: container %s: %w", w.ID, err)
	}
	return c, nil
}

// stateRoot is where the real runtime keeps the state of its containers: --root,
// or its default. XDG_RUNTIME_DIR counts for crun always and for runc where it is
// not root of the host (runc, rootless_linux.go, shouldHonorXDGRuntimeDir;
// crun, status.c, get_run_directory).
func (w *wrapper) stateRoot() string {
	name := "runc"
	xdg := os.Getenv("XDG_RUNTIME_DIR")
	if w.kind == Crun {
		name = "crun"
	} else if hostRoot() {
		xdg = ""
	}
	switch {
	case w.Root != "":
		return w.Root
	case xdg != "":
		return filepath.Join(xdg, name)
	default:
		return filepath.Join("/run", name)
	}
}

// readRuncState reads what runc keeps of a container (libcontainer,
// container.go, BaseState). The annotations are among the labels
// (specconv, CreateLibcontainerConfig).
func readRuncState(dir string) (*container, error) {
	var state struct {
		PID    int    `json:"init_process_pid"`
		Start  uint64 `json:"init_process_start"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	if err := readJSON(filepath.Join(dir, "state.json"), &state); err != nil {
		return nil, err
	}
	c := &container{init: hook.Init{PID: state.PID, Start: state.Start}, annotations: map[string]string{}}
	for _, label := range state.Config.Labels {
		if name, value, ok := strings.Cut(label, "="); !ok {
			continue
		} else if name == "bundle" {
			c.bundle = value
		} else {
			c.annotations[name] = value
		}
	}
	c.config = filepath.Join(c.bundle, configName)
	return c, nil
}

// readCrunState reads what crun keeps of a container (crun, status.c), and its
// copy of config.json.
func readCrunState(dir string) (*container, error) {
	var status struct {
		PID    int    `json:"pid"`
		Start  uint64 `json:"process-start-time"`
		Bundle string `json:"bundle"`
	}
	if err := readJSON(filepath.Join(dir, "status"), &status); err != nil {
		return nil, err
	}
	var config struct {
		Annotations map[string]string `json:"annotations"`
	}
	c := &container{init: hook.Init{PID: status.PID, Start: status.Start}, bundle: status.Bundle, config: filepath.Join(dir, configName)}
	if err := readJSON(c.config, &config); err != nil {
		return nil, err
	}
	c.annotations = config.Annotations
	return c, nil
}

func readJSON(path string, into any) error {
	text, err := regular.ReadFile(path, maxConfig)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// parseConfig reads a config.json.
func parseConfig(path string) (*bundle.Config, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	text, err := readConfig(dir, configName, maxConfig)
	if err != nil {
		return nil, err
	}
	return bundle.Parse(text)
}
