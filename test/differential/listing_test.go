//go:build libseccomp

package differential

import (
	"fmt"
	"strconv"
	"strings"

	"seccomp-hook/pkg/bpf"
)

// listing is libseccomp's own account of a filter (seccomp_export_pfc): the
// tree that it makes a program of.
type listing struct{ lines []string }

func newListing(text string) listing {
	var l listing
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(strings.TrimSpace(line), "#") {
			l.lines = append(l.lines, line)
		}
	}
	return l
}

// test is one line "if (…)" with what stands under it.
type test struct {
	argument int
	shift    int
	mask     uint32
	op       string
	constant uint32
	yes, no  []test
	yesRet   *bpf.Return
	noRet    *bpf.Return
}

// verdict returns what the tree under call nr of an architecture gives, false
// where that is the default action. Numbers of x86_64 and x32 do not meet, so
// the architecture's token is enough.
func (l listing) verdict(d *bpf.Data) (bpf.Return, bool) {
	in := false
	for i, line := range l.lines {
		if indentation(line) == 0 {
			in = line == fmt.Sprintf("if ($arch == %d)", d.Arch) ||
				d.Arch == 0xc000003e && line == "if ($arch == 1073741886)" // libseccomp's token of x32
		}
		if in && strings.TrimSpace(line) == fmt.Sprintf("if ($syscall == %d)", d.Nr) {
			p := parser{lines: l.lines, at: i + 1}
			ret, tests := p.under(indentation(line))
			if ret != nil {
				return *ret, true
			}
			return evaluate(tests, d)
		}
	}
	return 0, false
}

func evaluate(tests []test, d *bpf.Data) (bpf.Return, bool) {
	for _, t := range tests {
		word := uint32(d.Args[t.argument]>>t.shift) & t.mask
		var met bool
		switch t.op {
		case "==":
			met = word == t.constant
		case ">":
			met = word > t.constant
		case ">=":
			met = word >= t.constant
		}
		ret, next := t.noRet, t.no
		if met {
			ret, next = t.yesRet, t.yes
		}
		if ret != nil {
			return *ret, true
		}
		if r, ok := evaluate(next, d); ok {
			return r, true
		}
	}
	return 0, false
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// parser reads the lines under one.
type parser struct {
	lines []string
	at    int
}

// under returns what stands under a line of that indentation: an action or
// tests.
func (p *parser) under(indent int) (*bpf.Return, []test) {
	if p.at == len(p.lines) || indentation(p.lines[p.at]) != indent+2 {
		return nil, nil
	}
	if name, ok := strings.CutPrefix(strings.TrimSpace(p.lines[p.at]), "action "); ok {
		p.at++
		r := actionOf(strings.TrimSuffix(name, ";"))
		return &r, nil
	}
	var tests []test
	for p.at < len(p.lines) && indentation(p.lines[p.at]) == indent+2 && strings.HasPrefix(strings.TrimSpace(p.lines[p.at]), "if ($a") {
		t := parseTest(strings.TrimSpace(p.lines[p.at]))
		p.at++
		t.yesRet, t.yes = p.under(indent + 2)
		if p.at < len(p.lines) && p.lines[p.at] == strings.Repeat(" ", indent+2)+"else" {
			p.at++
			t.noRet, t.no = p.under(indent + 2)
		}
		tests = append(tests, t)
	}
	return nil, tests
}

// parseTest reads "if ($a0.hi32 & 0x0000000f == 3)".
func parseTest(line string) test {
	fields := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(line, "if ($a"), ")"))
	t := test{mask: ^uint32(0)}
	t.argument = int(fields[0][0] - '0')
	if strings.HasSuffix(fields[0], ".hi32") {
		t.shift = 32
	}
	if fields[1] == "&" {
		mask, _ := strconv.ParseUint(fields[2], 0, 32)
		t.mask = uint32(mask)
		fields = fields[2:]
	}
	t.op = fields[1]
	constant, _ := strconv.ParseUint(fields[2], 10, 32)
	t.constant = uint32(constant)
	return t
}

// actionOf reads "ERRNO(1)".
func actionOf(text string) bpf.Return {
	name, data, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	n, _ := strconv.ParseUint(data, 10, 16)
	switch name {
	case "ALLOW":
		return bpf.RetAllow
	case "ERRNO":
		return bpf.Errno(uint16(n))
	case "TRACE":
		return bpf.RetTrace | bpf.Return(n)
	case "TRAP":
		return bpf.RetTrap
	case "LOG":
		return bpf.RetLog
	case "KILL_PROCESS":
		return bpf.RetKillProcess
	case "KILL":
		return bpf.RetKillThread
	default:
		raw, _ := strconv.ParseUint(text, 0, 32)
		return bpf.Return(raw)
	}
}
