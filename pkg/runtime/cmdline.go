package runtime

import (
	"fmt"
	"slices"
	"strings"
)

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
	// Config is crun's --config, "" where it is not given.
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
	// ID is the container's id, "" where there is none.
	ID string
}

// flagSet has the flags of one command that take a value, by name; every other
// flag is a switch. The flags of runc 1.1 to 1.5 and crun 1.8 to 1.20 are
// disjoint or agree, so one set serves both.
type flagSet map[string]bool

func valued(names ...string) flagSet {
	set := make(flagSet, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// grammar is how one command reads its arguments.
type grammar struct {
	flags flagSet
	// operandEndsFlags: what follows the first operand belongs to the
	// container's process (runc: SkipArgReorder, crun: ARGP_IN_ORDER).
	operandEndsFlags bool
}

var globalFlags = valued("log", "log-format", "root", "rootless", "criu", "cgroup-manager", "log-level")

var grammars = map[string]grammar{
	"create": {flags: valued("bundle", "b", "console-socket", "pidfd-socket", "pid-file", "preserve-fds", "config", "f")},
	"run":    {flags: valued("bundle", "b", "console-socket", "pidfd-socket", "pid-file", "preserve-fds", "config", "f")},
	"restore": {flags: valued("bundle", "b", "console-socket", "pid-file", "image-path", "work-path",
		"manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context")},
	"exec": {
		flags: valued("console-socket", "pidfd-socket", "cwd", "env", "e", "user", "u", "additional-gids", "g",
			"process", "p", "pid-file", "process-label", "apparmor", "cap", "c", "preserve-fds", "cgroup"),
		operandEndsFlags: true,
	},
	"delete": {flags: valued("regex")},
}

// UsageError says that a command line leaves open which container or bundle it
// is about.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return "runtime: command line: " + e.Reason }

// ParseArgs understands the command line of a real runtime (without the
// program's name). It reads flags as the flag package that runc uses and the
// argp that crun uses both do: "--name value", "--name=value", one dash or
// two. What it does not know is left to the real runtime, which then complains
// in its own words. It errs where a flag lacks its value, and where it could
// take another command for the one that the real runtime sees.
func ParseArgs(args []string) (*Invocation, error) {
	inv := &Invocation{Args: args}
	rest, err := scanFlags(args, globalFlags, true, func(name, value string) {
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
	})
	if err != nil || len(rest) == 0 {
		return inv, err
	}
	inv.Command = rest[0]
	g, known := grammars[inv.Command]
	if !known {
		return inv, inv.checkCommand(rest[1:])
	}
	operands, err := scanFlags(rest[1:], g.flags, g.operandEndsFlags, func(name, value string) {
		switch name {
		case "bundle", "b":
			inv.Bundle = value
		case "config", "f":
			inv.Config = value
			inv.Force = inv.Command == "delete" && value != "false"
		case "force":
			inv.Force = value != "false"
		case "keep":
			inv.Keep = value != "false"
		case "process", "p":
			inv.Process = value
		case "no-new-privs":
			inv.NoNewPrivileges = value != "false"
		}
	})
	if len(operands) > 0 {
		inv.ID = operands[0]
	}
	return inv, err
}

// others are the commands that are the real runtime's alone.
var others = []string{
	"checkpoint", "events", "features", "help", "h", "init", "kill", "list", "mounts", "pause", "ps", "resume", "spec", "start",
	"state", "update",
}

// checkCommand looks at a command that is not known, which may be the value of
// a global flag that is not known: the real runtime would then see the command
// that comes later, and must not be left alone with it.
func (inv *Invocation) checkCommand(rest []string) error {
	if slices.Contains(others, inv.Command) {
		return nil
	}
	for _, arg := range rest {
		if _, ours := grammars[arg]; ours {
			return &UsageError{Reason: fmt.Sprintf("%q is no command that is known, and %q follows", inv.Command, arg)}
		}
	}
	return nil
}

// scanFlags calls set for each flag, with "" as the value of a switch that has
// none, and returns the operands: those after the first one too, unless stop
// says that the first operand ends the flags.
func scanFlags(args []string, flags flagSet, stop bool, set func(name, value string)) (operands []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return append(operands, args[i+1:]...), nil
		case len(arg) < 2 || arg[0] != '-':
			if stop {
				return args[i:], nil
			}
			operands = append(operands, arg)
			continue
		}
		name, value, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		short := arg[1] != '-' && len(name) > 1 && !flags[name]
		switch {
		case short && flags[name[:1]]:
			// crun's argp takes "-bDIR".
			set(name[:1], arg[2:])
		case !flags[name] || inline:
			// A switch may be one of a version not known here.
			set(name, value)
		case i+1 == len(args):
			return nil, &UsageError{Reason: fmt.Sprintf("%s needs a value", arg)}
		default:
			i++
			set(name, args[i])
		}
	}
	return operands, nil
}
