//go:build linux

package install

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAreas(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{"text", ""},
		{"401000-402000", ""},
		{"0x401000-0x402000", ""},
		{"401000-402000,402000-403000", ""},
		{"402000-403000, 401000-402000", ""},
		{"[vdso]", ""},
		{"/usr/bin/my-program", ""},
		{"my-program,[vdso]", ""},
		{"", "empty item"},
		{"401000-402000,", "empty item"},
		{"text,401000-402000", "text stands alone"},
		{"401000-401000", "is empty"},
		{"402000-401000", "is empty"},
		{"401000-403000,402000-404000", "overlap"},
		{"0-fffffffffffff000", "past the address space"},
		{"0-10000000000000000000", "past the address space"},
		{"a,a", "a twice"},
	} {
		areas, err := ParseAreas(tt.text)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.err)
		}
		if err == nil && areas.String() != tt.text {
			t.Errorf("%q is %q", tt.text, areas)
		}
	}
}

const maps = `00400000-00401000 r--p 00000000 fe:00 12  /bin/my program
00401000-0047d000 r-xp 00001000 fe:00 12                 /bin/my program
0047d000-0049f000 r--p 0007d000 fe:00 12                 /bin/my program
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7f0000001000-7f0000002000 r-xp 00000000 fe:00 13         /lib/one.so
7f0000002000-7f0000003000 rw-p 00000000 fe:00 13         /lib/one.so
7f0000003000-7f0000004000 r-xp 00000000 fe:00 14         /lib/two.so
7f0000005000-7f0000006000 r-xp 00001000 fe:00 14         /lib/two.so
7ffd7a5d6000-7ffd7a5f7000 rw-p 00000000 00:00 0          [stack]
7ffd7a5f8000-7ffd7a5fa000 r-xp 00000000 00:00 0          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]
`

func TestResolveAreas(t *testing.T) {
	all, err := parseMappings(maps)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text  string
		entry uint64
		want  string // the area, or the error
	}{
		{"text", 0x401234, "00401000-0047d000"},
		{"text", 0x400000, "no executable mapping has the entry point"},
		{"my program", 0, "00401000-0047d000"},
		{"/bin/my program", 0, "00401000-0047d000"},
		{"one.so", 0, "7f0000001000-7f0000002000"},
		{"7f0000000000-7f0000001000,one.so", 0, "7f0000000000-7f0000002000"},
		{"7f0000001800-7f0000002000,one.so", 0, "overlap"},
		{"my program,one.so", 0, "gap between them"},
		{"two.so", 0, "2 executable mappings are named two.so"},
		{"three.so", 0, "0 executable mappings are named three.so"},
		{"[stack]", 0, "0 executable mappings are named [stack]"},
		{"[vdso]", 0, "7ffd7a5f8000-7ffd7a5fa000"},
		{"[vsyscall]", 0, "past the address space"},
		{"1000-2000", 0, "00001000-00002000"}, // for memory that the program is going to map
	} {
		areas, err := ParseAreas(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := areas.resolve(all, tt.entry)
		if err == nil && got.String() != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, line := range []string{"live 7", "live 7 00401000-0047d000", "killed 9 install: the reason"} {
		o, err := ParseOutcome(line + "\n")
		if err != nil || o.String() != line {
			t.Errorf("%q: %v, %v", line, o, err)
		}
	}
	for _, line := range []string{"", "live", "live 7 x", "live x", "live 7 7-7", "dead 7", "live 07"} {
		if o, err := ParseOutcome(line); err == nil {
			t.Errorf("%q: %v", line, o)
		}
	}
	o := Outcome{PID: 3, Err: errors.New("two\nlines")}
	if o.String() != "killed 3 two lines" {
		t.Errorf("%q", o.String())
	}
}

// Whatever is parsed, there is no panic, and one area at the end.
func FuzzAreas(f *testing.F) {
	for _, seed := range []string{"text", "1000-2000,2000-3000", "[vdso]", "a-b,c", "my program"} {
		f.Add(seed, maps)
	}
	f.Fuzz(func(t *testing.T, text, maps string) {
		areas, err := ParseAreas(text)
		if err != nil {
			return
		}
		all, err := parseMappings(maps)
		if err != nil {
			return
		}
		if one, err := areas.resolve(all, 0x401000); err == nil && one.check() != nil {
			t.Errorf("%q: %s", text, one)
		}
	})
}
