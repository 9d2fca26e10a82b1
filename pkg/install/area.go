//go:build linux

package install

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Area is a run of addresses, End not included.
type Area struct{ Start, End uint64 }

// String returns the area as /proc/PID/maps writes it.
func (a Area) String() string { return fmt.Sprintf("%08x-%08x", a.Start, a.End) }

// addressSpace is where a program's addresses end, unless it asks for more
// with 5-level page tables.
const addressSpace = 1 << 47

func (a Area) check() error {
	switch {
	case a.Start >= a.End:
		return fmt.Errorf("area %s is empty", a)
	case a.End > addressSpace:
		return fmt.Errorf("area %s ends past the address space, %#x", a, uint64(addressSpace))
	}
	return nil
}

// Areas say from where a program may make system calls, before it is known
// where the program will be. They must come to one area in the end, because
// Syscall User Dispatch has no more.
type Areas struct {
	source string
	text   bool     // the program's own executable mapping
	fixed  []Area   // ascending
	mapped []string // names of executable mappings
}

// String returns what ParseAreas has parsed.
func (a *Areas) String() string { return a.source }

// ParseAreas parses what an annotation says: "text", or a list, separated by
// commas, of areas ("401000-45f000", hexadecimal as in /proc/PID/maps) and
// names of mappings ("[vdso]", a file's path or its last element).
func ParseAreas(text string) (*Areas, error) {
	if text == "text" {
		return &Areas{source: text, text: true}, nil
	}
	a := &Areas{source: text}
	for _, item := range strings.Split(text, ",") {
		item = strings.TrimSpace(item)
		area, isArea, err := parseArea(item)
		switch {
		case item == "":
			return nil, fmt.Errorf("install: areas %q: empty item", text)
		case item == "text":
			return nil, fmt.Errorf("install: areas %q: text stands alone", text)
		case err != nil:
			return nil, fmt.Errorf("install: areas %q: %w", text, err)
		case isArea:
			a.fixed = append(a.fixed, area)
		case slices.Contains(a.mapped, item):
			return nil, fmt.Errorf("install: areas %q: %s twice", text, item)
		default:
			a.mapped = append(a.mapped, item)
		}
	}
	if err := joinable(a.fixed); err != nil {
		return nil, fmt.Errorf("install: areas %q: %w", text, err)
	}
	return a, nil
}

// parseArea parses START-END; isArea is false for what is a name.
func parseArea(item string) (a Area, isArea bool, err error) {
	start, end, found := strings.Cut(item, "-")
	if !found {
		return a, false, nil
	}
	number := func(s string) uint64 {
		n, e := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
		if errors.Is(e, strconv.ErrRange) {
			n, e = math.MaxUint64, nil // which check refuses
		}
		err = errors.Join(err, e)
		return n
	}
	a = Area{number(start), number(end)}
	if err != nil {
		return Area{}, false, nil // a name with a dash in it
	}
	return a, true, a.check()
}

// joinable sorts areas and refuses those that overlap.
func joinable(areas []Area) error {
	slices.SortFunc(areas, func(a, b Area) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(areas); i++ {
		if areas[i].Start < areas[i-1].End {
			return fmt.Errorf("%s and %s overlap", areas[i-1], areas[i])
		}
	}
	return nil
}

// mapping is one line of /proc/PID/maps.
type mapping struct {
	Area
	executable bool
	name       string // a file, "[vdso]", or ""
}

// parseMappings reads /proc/PID/maps (proc_pid_maps(5)).
func parseMappings(text string) ([]mapping, error) {
	var all []mapping
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("maps: line %q", line)
		}
		area, isArea, _ := parseArea(fields[0]) // [vsyscall] is past the address space
		if !isArea {
			return nil, fmt.Errorf("maps: line %q", line)
		}
		m := mapping{Area: area, executable: strings.Contains(fields[1], "x")}
		if len(fields) > 5 {
			m.name = strings.Join(fields[5:], " ")
		}
		all = append(all, m)
	}
	return all, nil
}

// resolve returns the one area, for a program whose entry point is at an
// address.
func (a *Areas) resolve(maps []mapping, entry uint64) (Area, error) {
	areas := slices.Clone(a.fixed)
	if a.text {
		i := slices.IndexFunc(maps, func(m mapping) bool { return m.executable && m.Start <= entry && entry < m.End })
		if i < 0 {
			return Area{}, fmt.Errorf("areas: no executable mapping has the entry point, %#x", entry)
		}
		areas = append(areas, maps[i].Area)
	}
	for _, name := range a.mapped {
		var found []Area
		for _, m := range maps {
			if m.executable && (m.name == name || m.name != "" && path.Base(m.name) == name) {
				found = append(found, m.Area)
			}
		}
		if len(found) != 1 {
			return Area{}, fmt.Errorf("areas: %d executable mappings are named %s, instead of one", len(found), name)
		}
		areas = append(areas, found[0])
	}
	if err := joinable(areas); err != nil {
		return Area{}, fmt.Errorf("areas: %w", err)
	}
	for i := 1; i < len(areas); i++ {
		if areas[i].Start != areas[i-1].End {
			return Area{}, fmt.Errorf("areas: %s and %s have a gap between them, and the kernel takes one area", areas[i-1], areas[i])
		}
	}
	one := Area{areas[0].Start, areas[len(areas)-1].End}
	return one, one.check()
}
