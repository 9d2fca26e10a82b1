package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"seccomp-hook/pkg/regular"
)

// With crun's --config FILE the container's configuration is that file, and the
// bundle needs no config.json (crun, create.c and run_create.c). Nothing has to
// stand in for it then: crun reads an edited copy instead, which a command line
// of the same meaning names.

// ownConfig returns the path of the configuration that the command line names;
// "" where it is the bundle's config.json. crun takes exactly that name for the
// bundle's file, and any other relative one from the current directory.
func (w *wrapper) ownConfig() string {
	if w.Config == configName {
		return ""
	}
	return w.Config
}

// copyPath is where the edited copy is: beside the attendant's socket, and named
// in the same way.
func (w *wrapper) copyPath() string {
	return filepath.Join(attendantDir, strconv.Itoa(w.pid)+copySuffix)
}

const copySuffix = ".json"

// prepareOwn is prepareFirst for a configuration that the command line names.
func (w *wrapper) prepareOwn(path string) (*attendant, error) {
	text, err := regular.ReadFile(path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("runtime: configuration: %w", err)
	}
	o, err := w.orderOf(text, nil)
	if o == nil {
		return nil, err
	}
	a, err := w.newAttendant(o, nil)
	if err != nil {
		return nil, err
	}
	at(StepReplace)
	a.copy = w.copyPath()
	if err := os.WriteFile(a.copy, a.StandIn, 0o600); err != nil {
		return nil, fmt.Errorf("runtime: configuration: %w", joinRemoved(err, a.copy, a.socket))
	}
	return a, nil
}

// joinRemoved removes files that are of no use after an error, which counts.
func joinRemoved(err error, paths ...string) error {
	for _, path := range paths {
		_ = os.Remove(path)
	}
	return err
}

// withConfig returns the command line of a create or run of crun with another
// configuration.
func (inv *Invocation) withConfig(path string) []string {
	g := grammars[Crun]
	rest, _ := g.read(g.global, inv.Args, func(string, string) {}) // it has been read before
	args := slices.Clone(inv.Args[:len(inv.Args)-len(rest)+1])
	t := g.commands[inv.Command]
	operands, _ := g.read(t, rest[1:], func(name, value string) {
		switch {
		case name == "config":
		case t[name].arity == alone:
			args = append(args, "--"+name)
		default:
			args = append(args, "--"+name+"="+value)
		}
	})
	return append(append(args, "--config="+path, "--"), operands...)
}
