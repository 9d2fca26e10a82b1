package runtime

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// arity says what may follow the name of a flag.
type arity uint8

const (
	alone    arity = iota // nothing, or, in runc's reading, "=" and a truth value
	valued                // a value, in the same word or in the next
	optional              // a value in the same word, or none
)

// flag is one flag of a command.
type flag struct {
	name  string // its first one
	arity arity
}

// flagTable has the flags of a command by name, short and long.
type flagTable map[string]flag

// table makes a flagTable. A word has the names of one flag, the long one first,
// with a comma between, and behind them "=" or "[=]" for its arity.
func table(words string) flagTable {
	t := flagTable{}
	for _, word := range strings.Fields(words) {
		a := alone
		if names, is := strings.CutSuffix(word, "[=]"); is {
			word, a = names, optional
		} else if names, is := strings.CutSuffix(word, "="); is {
			word, a = names, valued
		}
		names := strings.Split(word, ",")
		for _, name := range names {
			t[name] = flag{names[0], a}
		}
	}
	return t
}

// grammar is how a runtime reads its command line.
type grammar struct {
	// read calls set for each flag at the beginning of args, and returns the
	// operands.
	read     func(t flagTable, args []string, set func(name, value string)) (operands []string, err error)
	global   flagTable
	commands map[string]flagTable // those that make, enter or end a container
	// reorders says that flags may come behind the operands of a command, but
	// for exec.
	reorders bool
}

// Each table has the flags of all versions that there are. One that a version
// does not have is an error to that version, whatever it is here. The tests hold
// the tables against what the runtimes on the machine say of themselves.
var grammars = map[Kind]grammar{
	// runc 1.1 to 1.5 (main.go, create.go, …).
	Runc: {
		read:   flagTable.readWords,
		global: table("log= log-format= root= rootless= criu= debug systemd-cgroup help,h version,v"),
		commands: map[string]flagTable{
			"create": table("bundle,b= console-socket= pidfd-socket= pid-file= preserve-fds= no-pivot no-new-keyring help,h"),
			"run": table("bundle,b= console-socket= pidfd-socket= pid-file= preserve-fds= detach,d keep no-subreaper no-pivot " +
				"no-new-keyring help,h"),
			"exec": table("console-socket= pidfd-socket= cwd= env,e= user,u= additional-gids,g= process,p= pid-file= process-label= " +
				"apparmor= cap,c= preserve-fds= cgroup= tty,t detach,d no-new-privs ignore-paused help,h"),
			"delete": table("force,f help,h"),
			"restore": table("console-socket= image-path= work-path= manage-cgroups-mode= bundle,b= pid-file= empty-ns= lsm-profile= " +
				"lsm-mount-context= tcp-established ext-unix-sk shell-job file-locks detach,d no-subreaper no-pivot auto-dedup " +
				"lazy-pages help,h"),
		},
		reorders: true,
	},
	// crun 0.18 to 1.29 (crun.c, create.c, …), and what argp adds.
	Crun: {
		read:   flagTable.readArgp,
		global: table("cgroup-manager= log= log-format= log-level= root= rootless= debug systemd-cgroup version,v,V help,? usage"),
		commands: map[string]flagTable{
			"create": table("bundle,b= config,f= console-socket= pid-file= preserve-fds= no-new-keyring no-pivot no-subreaper help,? usage"),
			"run": table("bundle,b= config,f= console-socket= pid-file= preserve-fds= detach,d keep no-new-keyring no-pivot no-subreaper " +
				"help,? usage"),
			"exec": table("apparmor= cgroup= console-socket= cwd= cap,c= env,e= pid-file= preserve-fds= process-label= process,p= user,u= " +
				"tty,t[=] detach,d no-new-privs help,? usage"),
			"delete": table("force,f regex,r help,? usage"),
			// It reads the value of --network-lock from the next word, and from nowhere else.
			"restore": table("bundle,b= image-path= work-path= pid-file= console-socket= manage-cgroups-mode= lsm-profile= " +
				"lsm-mount-context= tcp-established tcp-close ext-unix-sk shell-job detach,d file-locks help,? usage"),
		},
	},
}

// readWords reads flags as Go's package flag does, which runc uses: one dash or
// two, whole names, the value in the next word or behind "=".
func (t flagTable) readWords(args []string, set func(name, value string)) (operands []string, err error) {
	for len(args) > 0 && len(args[0]) >= 2 && args[0][0] == '-' {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		name, value, inline := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f, known := t[name]
		switch {
		case !known:
			return nil, unknownFlag(arg)
		case f.arity == alone:
			truth := true
			if inline {
				if truth, err = strconv.ParseBool(value); err != nil {
					return nil, &UsageError{fmt.Sprintf("%q: true or false was expected", arg)}
				}
			}
			value = strconv.FormatBool(truth)
		case !inline && len(args) == 0:
			return nil, lackingValue(arg)
		case !inline:
			value, args = args[0], args[1:]
		}
		set(f.name, value)
	}
	return args, nil
}

// reorder puts the flags of a runc command before its operands, as its command
// line package does (urfave/cli 1.22, command.go, reorderArgs): it takes the
// word behind any flag for a value, that of a switch too.
func (t flagTable) reorder(args []string) []string {
	isFlag := func(arg string) bool {
		name, dashed := strings.CutPrefix(arg, "-")
		if name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "="); !dashed {
			return false
		}
		_, known := t[name]
		return known
	}
	var flags, operands []string
	value := false
	for i, arg := range args {
		switch {
		case value && !isFlag(arg):
			flags, value = append(flags, arg), false
		case arg == "--":
			return slices.Concat(flags, []string{"--"}, operands, args[i+1:])
		case isFlag(arg):
			flags, value = append(flags, arg), !strings.Contains(arg, "=")
		default:
			operands = append(operands, arg)
		}
	}
	return append(flags, operands...)
}

// readArgp reads flags as argp does, which crun uses: long ones with two dashes,
// which may be abbreviated, and one-letter ones, of which several may be in one
// word (getopt_long(3); the first operand ends them, ARGP_IN_ORDER).
func (t flagTable) readArgp(args []string, set func(name, value string)) (operands []string, err error) {
	for len(args) > 0 && len(args[0]) >= 2 && args[0][0] == '-' {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		if long, is := strings.CutPrefix(arg, "--"); is {
			name, value, inline := strings.Cut(long, "=")
			f, known := t.abbreviated(name)
			switch {
			case !known:
				return nil, unknownFlag(arg)
			case f.arity == alone && inline:
				return nil, &UsageError{fmt.Sprintf("%q: a switch with a value", arg)}
			case f.arity == valued && !inline && len(args) == 0:
				return nil, lackingValue(arg)
			case f.arity == valued && !inline:
				value, args = args[0], args[1:]
			}
			set(f.name, value)
			continue
		}
		for letters := arg[1:]; letters != ""; {
			f, known := t[letters[:1]]
			letters = letters[1:]
			value := ""
			switch {
			case !known:
				return nil, unknownFlag(arg)
			case f.arity == alone:
			case letters != "":
				value, letters = letters, ""
			case f.arity == valued && len(args) == 0:
				return nil, lackingValue(arg)
			case f.arity == valued:
				value, args = args[0], args[1:]
			}
			set(f.name, value)
		}
	}
	return args, nil
}

// abbreviated returns the long flag that has a name, or the only one that begins
// with it.
func (t flagTable) abbreviated(name string) (flag, bool) {
	if f, exact := t[name]; exact && len(name) > 1 {
		return f, true
	}
	var found flag
	for long, f := range t {
		if len(long) == 1 || !strings.HasPrefix(long, name) || f.name == found.name {
			continue
		}
		if found.name != "" {
			return flag{}, false
		}
		found = f
	}
	return found, found.name != ""
}

func unknownFlag(arg string) error {
	name, _, _ := strings.Cut(arg, "=")
	return &UsageError{fmt.Sprintf("%q is no flag that is known, or more than one", name)}
}

func lackingValue(arg string) error { return &UsageError{fmt.Sprintf("%q needs a value", arg)} }
