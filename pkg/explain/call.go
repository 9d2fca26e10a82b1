package explain

import (
	"fmt"
	"strconv"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

// ParseLine reads a call from a line of fields that are separated by tabs: the
// architecture, by name or as its AUDIT_ARCH_* token; the call, by name or
// number; and up to six arguments, 0 where they are left out. Numbers are
// decimal or have a 0x.
func ParseLine(line string) (bpf.Data, error) {
	fields := strings.Split(line, "\t")
	if len(fields) < 2 || len(fields) > 8 {
		return bpf.Data{}, fmt.Errorf("%d fields separated by tabs, between 2 and 8 expected: architecture, call, arguments", len(fields))
	}
	return parse(fields[0], fields[1], fields[2:])
}

// ParseCall reads a call as people write it: "socket", "socket(40, 1)",
// "socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC)", "x86:socketcall(1)", "0x40000001:5". Without an architecture it is native's.
// given is how many arguments there are; the others are 0.
func ParseCall(text string, native *arch.Arch) (call bpf.Data, given int, err error) {
	archName, rest, hasArch := strings.Cut(text, ":")
	if !hasArch {
		archName, rest = native.Name, text
	}
	name, list, hasArgs := strings.Cut(rest, "(")
	var args []string
	if hasArgs {
		inner, closed := strings.CutSuffix(list, ")")
		if !closed {
			return bpf.Data{}, 0, fmt.Errorf("call %q: the parenthesis is not closed", text)
		}
		if strings.TrimSpace(inner) != "" {
			args = strings.Split(inner, ",")
		}
	}
	if len(args) > 6 {
		return bpf.Data{}, 0, fmt.Errorf("call %q: %d arguments, at most 6", text, len(args))
	}
	call, err = parse(archName, name, args)
	if err != nil {
		return bpf.Data{}, 0, fmt.Errorf("call %q: %w", text, err)
	}
	return call, len(args), nil
}

func parse(archName, name string, args []string) (bpf.Data, error) {
	var d bpf.Data
	a, known := arch.ByName(archName)
	if known {
		d.Arch = a.Audit
	} else {
		token, err := strconv.ParseUint(archName, 0, 32)
		if err != nil {
			return d, fmt.Errorf("unknown architecture %q", archName)
		}
		d.Arch = uint32(token)
		a, known = arch.ByAudit(d.Arch)
	}
	nr, err := strconv.ParseUint(name, 0, 32)
	if err != nil {
		number, found := uint32(0), false
		if known {
			number, found = a.Number(name)
		}
		if !found {
			return d, fmt.Errorf("%s has no call %q", archName, name)
		}
		nr = uint64(number)
	}
	d.Nr = uint32(nr)
	for i, text := range args {
		var is bool
		if d.Args[i], is = constants(text, a); is {
			continue
		}
		if d.Args[i], err = argument(strings.TrimSpace(text), known && a.Bits == 32 && a.Name != "x32"); err != nil {
			return d, fmt.Errorf("argument %d: %q is not a number of 64 bits, and no constant", i, text)
		}
	}
	return d, nil
}

// argument reads an argument. A negative number is what a C library passes for
// it: all bits above are set, where the architecture has them.
func argument(text string, narrow bool) (uint64, error) {
	if !strings.HasPrefix(text, "-") {
		return strconv.ParseUint(text, 0, 64)
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if narrow {
		return uint64(uint32(n)), err
	}
	return uint64(n), err
}

// EndianOf returns the byte order that an AUDIT_ARCH_* token names
// (__AUDIT_ARCH_LE in <linux/audit.h>).
func EndianOf(token uint32) bpf.Endian {
	if token&0x40000000 != 0 {
		return bpf.Little
	}
	return bpf.Big
}

// Name returns a call as ParseCall reads it, without arguments: "x86_64:read",
// "x86_64:999", "0x1234:5".
func Name(token, nr uint32) string {
	a := archOf(token, nr)
	if a == nil {
		return fmt.Sprintf("%#x:%d", token, nr)
	}
	if name := a.CallName(nr); name != "" {
		return a.Name + ":" + name
	}
	if nr >= arch.X32Bit {
		return fmt.Sprintf("%s:%#x", a.Name, nr)
	}
	return fmt.Sprintf("%s:%d", a.Name, nr)
}

// archOf returns the architecture that a number of a token belongs to, nil for
// an unknown token.
func archOf(token, nr uint32) *arch.Arch {
	a, known := arch.ByAudit(token)
	if !known {
		return nil
	}
	if x32, _ := arch.ByName("x32"); x32.Audit == token && nr&arch.X32Bit != 0 && nr != ^uint32(0) {
		return x32
	}
	return a
}

// Arguments renders arguments as ParseCall reads them, without the zeros at the
// end: "(0x28, 0x1)".
func Arguments(args [6]uint64) string {
	n := len(args)
	for n > 0 && args[n-1] == 0 {
		n--
	}
	texts := make([]string, n)
	for i, v := range args[:n] {
		texts[i] = fmt.Sprintf("%#x", v)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}
