//go:build machine

package machine

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"seccomp-hook/test/integration"
)

var update = flag.Bool("update", false, "write what the machines say into docs/kernels.md")

// facts are a row of docs/kernels.md, as integration's TestKernelFacts logs it.
var facts = regexp.MustCompile(`facts: \| (.*) \|`)

// shown are the columns of the other table of docs/kernels.md, and the test whose
// result is in each.
var shown = []struct{ column, test string }{
	{"hook", "TestHookFilters"},
	{"`seccomp-runc` and exec", "TestRuntimeLife"},
	{"32-bit programs", "TestHook32Bit"},
	{"listener", "TestHookNotify"},
	{"random filters decide as predicted", "TestKernelDecidesAsPredicted"},
	{"and are cached so", "TestKernelCachesWhatIsPredicted"},
	{"`inspect`", "TestInspect"},
	{"`watch`", "TestWatchCounts"},
	{"dispatch", "TestHookDispatch"},
}

// compareRows holds what a machine has said, and how its tests ended, against
// docs/kernels.md. What was not asked stays as it is there.
func compareRows(t *testing.T, output string, ended map[string]string) {
	t.Helper()
	match := facts.FindStringSubmatch(output)
	if match == nil {
		return
	}
	row := strings.Split(match[1], " | ")
	compareRow(t, "facts", row)
	row = row[:2:2] // kernel and architecture
	for _, c := range shown {
		row = append(row, map[string]string{"pass": "yes", "skip": "no"}[ended[c.test]])
	}
	if slices.ContainsFunc(row[2:], func(cell string) bool { return cell != "" }) {
		compareRow(t, "tests", row)
	}
}

// compareRow compares a row with that of the table below a comment of docs/kernels.md
// that names it; the two first cells are the key. With -update it writes the row. A
// cell that is empty in the second table was not asked for.
func compareRow(t *testing.T, table string, row []string) {
	t.Helper()
	page := filepath.Join(integration.Root(t), "docs/kernels.md")
	text, err := os.ReadFile(page)
	must(t, err)
	before, rest, ok := strings.Cut(string(text), "<!-- table: "+table+" -->\n\n")
	if !ok {
		t.Fatalf("docs/kernels.md has no table %s", table)
	}
	body, after, _ := strings.Cut(rest, "\n\n")
	lines := strings.Split(body, "\n") // the first two are its head
	rows := lines[2:]
	key := fmt.Sprintf("| %s | %s |", row[0], row[1])
	at := slices.IndexFunc(rows, func(line string) bool { return strings.HasPrefix(line, key) })
	was := make([]string, len(row))
	if at >= 0 {
		copy(was, cells(rows[at]))
	}
	want := slices.Clone(row)
	for i := range want {
		if want[i] == "" && table == "tests" {
			want[i] = was[i]
		}
	}
	if slices.Equal(was, want) {
		return
	}
	line := "| " + strings.Join(want, " | ") + " |"
	if !*update {
		t.Errorf("docs/kernels.md has\n| %s |\nand the machine says\n%s\n(-update writes it)", strings.Join(was, " | "), line)
		return
	}
	if at >= 0 {
		rows[at] = line
	} else {
		rows = append(rows, line)
	}
	slices.SortStableFunc(rows, func(a, b string) int {
		x, y := cells(a), cells(b)
		return cmp.Or(-strings.Compare(x[1], y[1]), compareReleases(x[0], y[0]))
	})
	body = strings.Join(append(lines[:2:2], rows...), "\n")
	must(t, os.WriteFile(page, []byte(before+"<!-- table: "+table+" -->\n\n"+body+"\n\n"+after), 0o644))
}

func cells(line string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
}

func compareReleases(a, b string) int {
	var x, y [2]int
	_, _ = fmt.Sscanf(a, "%d.%d", &x[0], &x[1])
	_, _ = fmt.Sscanf(b, "%d.%d", &y[0], &y[1])
	return slices.Compare(x[:], y[:])
}
