package lint

import (
	"fmt"
	"strings"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/spec"
)

// suggest returns ": did you mean …?" for a name that is no call's, and nothing
// where there is no single name that it is likely to stand for.
func suggest(name string) string {
	plain := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	for _, prefix := range []string{"__nr_", "__x64_", "sys_"} {
		plain = strings.TrimPrefix(plain, prefix)
	}
	if _, ok := arch.FindCall(plain); ok {
		return fmt.Sprintf(": did you mean %q?", plain)
	}
	// A short name is near to too many.
	nearest, best, alone := "", 1+min(2, len(plain)/4), false
	for c := range arch.Call(arch.CallCount) {
		switch d := distance(plain, c.Name(), best); {
		case d < best:
			nearest, best, alone = c.Name(), d, true
		case d == best:
			alone = false
		}
	}
	if !alone {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", nearest)
}

// hint is suggest for what reading a profile warned of.
func hint(w spec.Warning) string {
	_, rest, _ := strings.Cut(w.Text, `"`)
	name, _, quoted := strings.Cut(rest, `"`)
	if !quoted {
		return ""
	}
	switch w.Kind {
	case spec.WarnCapability:
		plain := strings.ToUpper(strings.TrimSpace(name))
		for _, known := range spec.AllCapabilities() {
			if strings.ReplaceAll(strings.TrimPrefix(plain, "CAP"), "_", "") == strings.ReplaceAll(strings.TrimPrefix(known, "CAP"), "_", "") {
				return fmt.Sprintf(": did you mean %q?", known)
			}
		}
	case spec.WarnArch:
		for wrong, right := range map[string]string{"x86_64": "amd64", "aarch64": "arm64", "i386": "x86", "386": "x86", "i686": "x86"} {
			if strings.EqualFold(name, wrong) {
				return fmt.Sprintf(": did you mean %q?", right)
			}
		}
	}
	return ""
}

// distance is how many letters must be added, left out, changed or exchanged
// with their neighbour to make b of a (Damerau-Levenshtein, optimal string
// alignment); more than limit where that is more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	older, last, row := rows[0], rows[1], rows[2]
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, last, row = last, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
