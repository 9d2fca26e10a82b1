package runtime

import "reflect"

// Invocation is a runtime's command line, understood as far as the filter step
// needs it.
type Invocation struct {
	// Args are the arguments for the real runtime, as they were given.
	Args []string
	// Command is the runtime's command ("create", "exec", …), "" where the
	// command line has none.
	Command string
	// Root is the value of --root, "" where it is not given.
	Root string
	// Bundle is the value of --bundle, "" where it is not given.
	Bundle string
	// Config is crun's --config, "" where it is not given: another file than
	// the bundle's config.json.
	Config string
	// Log and LogFormat are the values of --log and --log-format.
	Log, LogFormat string
	// Debug is --debug.
	Debug bool
	// Process is the value of exec's --process, "" where it is not given.
	Process string
	// NoNewPrivileges is exec's --no-new-privs.
	NoNewPrivileges bool
	// Keep is run's --keep: the container is not deleted when it ends.
	Keep bool
	// Force is delete's --force.
	Force bool
	// Regex is crun's delete --regex: the operand is not an id.
	Regex bool
	// ID is the container's id, "" where there is none.
	ID string
}

// UsageError says that a command line leaves open which container, bundle or
// configuration it is about.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return "runtime: command line: " + e.Reason }

// ParseArgs understands the command line of a real runtime (without the
// program's name) as that runtime does. The filter is decided by what is on it,
// so nothing is guessed: where the command is one that makes, enters or ends a
// container, a flag that is not known, or that lacks its value, is a
// *UsageError. Other commands are the real runtime's alone, which then complains
// in its own words. A runtime of an unknown kind gets a command line only if it
// means the same to all that are known.
//
// There is always an Invocation, which has what was understood.
func ParseArgs(kind Kind, args []string) (*Invocation, error) {
	if kind != unknownKind {
		return parse(kind, args)
	}
	inv, err := parse(Runc, args)
	if err != nil {
		return inv, err
	}
	other, err := parse(Crun, args)
	if err == nil && !reflect.DeepEqual(inv, other) {
		err = &UsageError{"runtimes read it in different ways, and it is not known which one this is"}
	}
	return inv, err
}

func parse(kind Kind, args []string) (*Invocation, error) {
	inv := &Invocation{Args: args}
	g := grammars[kind]
	rootless, emptyRoot := false, false
	rest, err := g.read(g.global, args, func(name, value string) {
		rootless = rootless || name == "rootless"
		emptyRoot = name == "root" && value == "" || emptyRoot && name != "root"
		inv.setGlobal(name, value)
	})
	if err != nil {
		// The command is not known for certain.
		for _, arg := range args {
			if _, ours := g.commands[arg]; ours {
				return inv, err
			}
		}
		return inv, nil
	}
	if len(rest) == 0 {
		return inv, nil
	}
	inv.Command = rest[0]
	t, ours := g.commands[inv.Command]
	if !ours {
		return inv, nil
	}
	if g.reorders && inv.Command != "exec" {
		rest = append(rest[:1:1], t.reorder(rest[1:])...)
	}
	operands, err := g.read(t, rest[1:], inv.set)
	switch {
	case err != nil:
		return inv, err
	case emptyRoot:
		return inv, &UsageError{"--root is empty"}
	case rootless && kind == Crun:
		// crun 0.6 to 1.21 read it as --root (crun.c, options), later ones ignore it.
		return inv, &UsageError{"--rootless means --root to some versions of crun, and nothing to others"}
	}
	if len(operands) > 0 {
		inv.ID = operands[0]
	}
	return inv, nil
}

func (inv *Invocation) setGlobal(name, value string) {
	switch name {
	case "root":
		inv.Root = value
	case "log":
		inv.Log = value
	case "log-format":
		inv.LogFormat = value
	case "debug":
		inv.Debug = value != "false"
	}
}

func (inv *Invocation) set(name, value string) {
	switch name {
	case "bundle":
		inv.Bundle = value
	case "config":
		inv.Config = value
	case "regex":
		inv.Regex = true
	case "force":
		inv.Force = value != "false"
	case "keep":
		inv.Keep = value != "false"
	case "process":
		inv.Process = value
	case "no-new-privs":
		inv.NoNewPrivileges = value != "false"
	}
}
