// Gen writes the system call tables of pkg/arch: those of golang.org/x/sys/unix,
// at the version that go.mod pins, and supplement.txt for what it lacks.
package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sysModule is where most of the tables come from.
const sysModule = "golang.org/x/sys"

//go:embed supplement.txt
var supplement string

// calls maps the names of system calls to their numbers.
type calls map[string]uint32

// source says where the table of one variable in package arch comes from.
type source struct {
	table  string   // the variable is "table" + table
	goarch []string // x/sys's tables, which must agree; none: the supplement's alone
	column string   // in the supplement
	base   uint32   // added to the supplement's numbers
}

var sources = []source{
	{table: "X86_64", goarch: []string{"amd64"}},
	{table: "X86", goarch: []string{"386"}},
	{table: "X32", column: "x32", base: 0x40000000},
	{table: "Arm", goarch: []string{"arm"}, column: "arm"},
	{table: "Aarch64", goarch: []string{"arm64"}},
	{table: "Loongarch64", goarch: []string{"loong64"}},
	{table: "M68k", column: "m68k"},
	{table: "Mips", goarch: []string{"mips", "mipsle"}},
	{table: "Mips64", goarch: []string{"mips64", "mips64le"}},
	{table: "Mips64n32", column: "mips64n32", base: 6000},
	{table: "Parisc", column: "parisc"},
	{table: "Parisc64", column: "parisc64"},
	{table: "Ppc", goarch: []string{"ppc"}},
	{table: "Ppc64", goarch: []string{"ppc64", "ppc64le"}},
	{table: "Riscv64", goarch: []string{"riscv64"}},
	{table: "S390", column: "s390"},
	{table: "S390x", goarch: []string{"s390x"}},
	{table: "Sh", column: "sh"},
}

func main() {
	output := flag.String("o", "tables.go", "file to write")
	flag.Parse()
	if err := run(*output); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(output string) error {
	dir, version, err := findModule(sysModule)
	if err != nil {
		return err
	}
	code, err := generate(filepath.Join(dir, "unix"), version)
	if err != nil {
		return err
	}
	return os.WriteFile(output, code, 0o644)
}

// errNoModule says that the module's source is not on this machine.
var errNoModule = errors.New("module source is not available")

// findModule returns the folder and version of a module that go.mod requires.
func findModule(path string) (dir, version string, err error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}\n{{.Version}}", path)
	output, err := list.Output()
	if err != nil {
		return "", "", fmt.Errorf("%s: %w: %w", path, errNoModule, err)
	}
	dir, version, _ = strings.Cut(strings.TrimSpace(string(output)), "\n")
	if dir == "" || version == "" {
		return "", "", fmt.Errorf("%s: %w", path, errNoModule)
	}
	return dir, version, nil
}

// generate returns the Go source of the tables, from x/sys's folder unix.
func generate(dir, version string) ([]byte, error) {
	extra, err := parseSupplement(supplement)
	if err != nil {
		return nil, fmt.Errorf("supplement.txt: %w", err)
	}
	tables := make([]calls, len(sources))
	all := calls{}
	for i, s := range sources {
		tables[i], err = s.load(dir, extra)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", s.table, err)
		}
		maps.Copy(all, tables[i])
	}
	return write(slices.Sorted(maps.Keys(all)), tables, version)
}

// load returns the calls of one table.
func (s source) load(dir string, extra map[string]calls) (calls, error) {
	table := calls{}
	for i, goarch := range s.goarch {
		got, err := parseSys(filepath.Join(dir, "zsysnum_linux_"+goarch+".go"))
		if err != nil {
			return nil, err
		}
		if i > 0 && !maps.Equal(got, table) {
			return nil, fmt.Errorf("%s and %s differ", s.goarch[0], goarch)
		}
		table = got
	}
	if s.column != "" {
		column, ok := extra[s.column]
		if !ok {
			return nil, fmt.Errorf("supplement.txt has no column %q", s.column)
		}
		for name, nr := range column {
			if old, ok := table[name]; ok {
				return nil, fmt.Errorf("%q is %d in x/sys and needs no supplement", name, old)
			}
			table[name] = nr + s.base
		}
	}
	byNumber := map[uint32]string{}
	for name, nr := range table {
		if other, ok := byNumber[nr]; ok {
			return nil, fmt.Errorf("%q and %q are both %d", name, other, nr)
		}
		byNumber[nr] = name
	}
	return table, nil
}

// parseSys reads the constants SYS_… of one of x/sys's tables.
func parseSys(path string) (calls, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	table := calls{}
	for _, decl := range file.Decls {
		constants, ok := decl.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || len(value.Names) != 1 || len(value.Values) != 1 {
				return nil, fmt.Errorf("%s: a constant without a value of its own", path)
			}
			name, ok := strings.CutPrefix(value.Names[0].Name, "SYS_")
			literal, isLiteral := value.Values[0].(*ast.BasicLit)
			if !ok || !isLiteral {
				return nil, fmt.Errorf("%s: %s is not a call number", path, value.Names[0].Name)
			}
			nr, err := strconv.ParseUint(literal.Value, 0, 32)
			if err != nil {
				return nil, fmt.Errorf("%s: SYS_%s: %w", path, name, err)
			}
			if name = strings.ToLower(name); isCall(name) {
				table[name] = uint32(nr)
			}
		}
	}
	if len(table) < 200 {
		return nil, fmt.Errorf("%s: %d calls only", path, len(table))
	}
	return table, nil
}

// isCall tells calls from the other __NR_ macros of the kernel's headers:
// holes in mips' tables, the place where the generic table leaves room for an
// architecture's own calls, and the mask that tells arm's ABIs apart.
func isCall(name string) bool {
	switch {
	case name == "arch_specific_syscall", name == "syscall_mask":
		return false
	}
	for _, hole := range []string{"unused", "reserved"} {
		if rest, ok := strings.CutPrefix(name, hole); ok {
			if _, err := strconv.Atoi(rest); err == nil {
				return false
			}
		}
	}
	return true
}

// parseSupplement reads supplement.txt, by column.
func parseSupplement(text string) (map[string]calls, error) {
	var columns []string
	tables := map[string]calls{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if columns == nil {
			columns = fields
			for _, c := range columns[1:] {
				tables[c] = calls{}
			}
			continue
		}
		if len(fields) != len(columns) {
			return nil, fmt.Errorf("line %d: %d fields, not %d", n, len(fields), len(columns))
		}
		for i, field := range fields[1:] {
			if field == "-" {
				continue
			}
			nr, err := strconv.ParseUint(field, 10, 31)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			tables[columns[i+1]][fields[0]] = uint32(nr)
		}
	}
	return tables, lines.Err()
}

// write prints the tables as Go source: names as one string, numbers as arrays
// indexed by name, all of it constant data.
func write(names []string, tables []calls, version string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by go generate from %s %s and internal/gen/supplement.txt. DO NOT EDIT.\n\n", sysModule, version)
	fmt.Fprintf(&b, "package arch\n\n// CallCount is the number of names that any architecture has.\nconst CallCount = %d\n\n", len(names))

	b.WriteString("// callNames is all names, in alphabetical order, without a gap.\nconst callNames = \"\" +\n")
	for i, name := range names {
		switch {
		case i == len(names)-1:
			fmt.Fprintf(&b, "\t%q\n\n", name)
		default:
			fmt.Fprintf(&b, "\t%q +\n", name)
		}
	}

	b.WriteString("// nameAt is where each name begins in callNames, and where the last one ends.\nvar nameAt = [CallCount + 1]uint16{")
	at := 0
	for i := 0; i <= len(names); i++ {
		separate(&b, i)
		fmt.Fprintf(&b, "%d,", at)
		if i < len(names) {
			at += len(names[i])
		}
	}
	b.WriteString("\n}\n")

	for i, s := range sources {
		fmt.Fprintf(&b, "\nvar table%s = table{\n\tnumbers: [CallCount]uint32{", s.table)
		var order []int
		for c, name := range names {
			separate(&b, c)
			if nr, ok := tables[i][name]; ok {
				fmt.Fprintf(&b, "%d,", nr)
				order = append(order, c)
			} else {
				b.WriteString("absent,")
			}
		}
		b.WriteString("\n},\n\torder: []Call{")
		slices.SortFunc(order, func(x, y int) int {
			return int(tables[i][names[x]]) - int(tables[i][names[y]])
		})
		for n, c := range order {
			separate(&b, n)
			fmt.Fprintf(&b, "%d,", c)
		}
		b.WriteString("\n},\n}\n")
	}
	return format.Source(b.Bytes())
}

// separate starts a new line before every sixteenth element.
func separate(b *bytes.Buffer, i int) {
	if i%16 == 0 {
		b.WriteString("\n")
	}
}
