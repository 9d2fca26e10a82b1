package explain

import (
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
)

const (
	auditX86_64 = 0xc000003e
	auditX86    = 0x40000003
	auditS390x  = 0x80000016
)

func x86_64(t *testing.T) *arch.Arch {
	t.Helper()
	a, known := arch.ByName("x86_64")
	if !known {
		t.Fatal("no x86_64")
	}
	return a
}

func TestParseCall(t *testing.T) {
	for _, c := range []struct {
		text  string
		call  bpf.Data
		given int
		name  string // what Name says of it
	}{
		{"read", bpf.Data{Arch: auditX86_64, Nr: 0}, 0, "x86_64:read"},
		{"read()", bpf.Data{Arch: auditX86_64, Nr: 0}, 0, "x86_64:read"},
		{"socket(40, 0x1)", bpf.Data{Arch: auditX86_64, Nr: 41, Args: [6]uint64{40, 1}}, 2, "x86_64:socket"},
		{"mmap(1,2,3,4,5,0xffffffffffffffff)", bpf.Data{Arch: auditX86_64, Nr: 9, Args: [6]uint64{1, 2, 3, 4, 5, 1<<64 - 1}}, 6, "x86_64:mmap"},
		{"openat(-100, -1)", bpf.Data{Arch: auditX86_64, Nr: 257, Args: [6]uint64{0xffffffffffffff9c, 1<<64 - 1}}, 2, "x86_64:openat"},
		{"x86:openat(-100)", bpf.Data{Arch: auditX86, Nr: 295, Args: [6]uint64{0xffffff9c}}, 1, "x86:openat"},
		{"x32:openat(-100)", bpf.Data{Arch: auditX86_64, Nr: 0x40000101, Args: [6]uint64{0xffffffffffffff9c}}, 1, "x32:openat"},
		{"x86:read", bpf.Data{Arch: auditX86, Nr: 3}, 0, "x86:read"},
		{"s390x:read(1)", bpf.Data{Arch: auditS390x, Nr: 3, Args: [6]uint64{1}}, 1, "s390x:read"},
		{"x32:read", bpf.Data{Arch: auditX86_64, Nr: 0x40000000}, 0, "x32:read"},
		{"0x40000000", bpf.Data{Arch: auditX86_64, Nr: 0x40000000}, 0, "x32:read"},
		{"0x40000003:3", bpf.Data{Arch: auditX86, Nr: 3}, 0, "x86:read"},
		{"0x40000003:read", bpf.Data{Arch: auditX86, Nr: 3}, 0, "x86:read"},
		{"9999", bpf.Data{Arch: auditX86_64, Nr: 9999}, 0, "x86_64:9999"},
		{"0x4000ffff", bpf.Data{Arch: auditX86_64, Nr: 0x4000ffff}, 0, "x32:0x4000ffff"},
		{"4294967295", bpf.Data{Arch: auditX86_64, Nr: 1<<32 - 1}, 0, "x86_64:0xffffffff"},
		{"0x1234:5", bpf.Data{Arch: 0x1234, Nr: 5}, 0, "0x1234:5"},
	} {
		call, given, err := ParseCall(c.text, x86_64(t))
		if err != nil || call != c.call || given != c.given {
			t.Errorf("%s: %+v, %d, %v; want %+v, %d", c.text, call, given, err, c.call, c.given)
		}
		if name := Name(call.Arch, call.Nr); name != c.name {
			t.Errorf("%s: name %q, want %q", c.text, name, c.name)
		}
	}
	for text, want := range map[string]string{
		"":                          `has no call ""`,
		"nothing":                   `has no call "nothing"`,
		"x86:":                      `x86 has no call ""`,
		"vax:read":                  `unknown architecture "vax"`,
		"0x123456789:1":             `unknown architecture`,
		"0x1234:read":               `0x1234 has no call "read"`,
		"-1":                        `has no call "-1"`,
		"0x100000000":               `has no call`,
		"read(":                     `not closed`,
		"read(1":                    `not closed`,
		"read(1)2":                  `not closed`,
		"read(,)":                   `argument 0: "" is not a number`,
		"read(1,--1)":               `argument 1: "--1" is not a number`,
		"read(-0x8000000000000001)": `argument 0: "-0x8000000000000001" is not a number`,
		"read(1,2,3,4,5,6,7)":       `7 arguments, at most 6`,
		"read(0x1ffffffffffffffff)": `argument 0: "0x1ffffffffffffffff" is not a number`,
	} {
		if call, _, err := ParseCall(text, x86_64(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, call, err, want)
		}
	}
}

func TestParseLine(t *testing.T) {
	for text, want := range map[string]bpf.Data{
		"x86_64\tread":                           {Arch: auditX86_64},
		"x86_64\t0x1\t1\t2\t3\t4\t5\t6":          {Arch: auditX86_64, Nr: 1, Args: [6]uint64{1, 2, 3, 4, 5, 6}},
		"0x40000003\tread\t18446744073709551615": {Arch: auditX86, Nr: 3, Args: [6]uint64{1<<64 - 1}},
		"3735928559\t7":                          {Arch: 0xdeadbeef, Nr: 7},
	} {
		if got, err := ParseLine(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                "1 fields",
		"x86_64":                          "1 fields",
		"x86_64 read":                     "1 fields",
		"x86_64\t1\t1\t2\t3\t4\t5\t6\t7":  "9 fields",
		"x86_64\tread\t":                  `argument 0: "" is not a number`,
		"X86_64\tread":                    "unknown architecture",
		"x86_64\tread(1)":                 "has no call",
		"x86_64\t0\t18446744073709551616": "is not a number of 64 bits",
	} {
		if got, err := ParseLine(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

// FuzzParse: what is read is written as something that reads the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"read", "socket(40, 0x1)", "x86:socketcall(1)", "0x40000003:11", "x32:read", "9999(1,2,3,4,5,6)", "s390x:ipc()", "vax:1", "((", "a:b:c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		call, given, err := ParseCall(text, x86_64(t))
		if err != nil {
			return
		}
		written := Name(call.Arch, call.Nr) + Arguments(call.Args)
		again, _, err := ParseCall(written, x86_64(t))
		if err != nil || again != call {
			t.Errorf("%q is written as %q, which reads as %+v, %v; it was %+v (%d arguments)", text, written, again, err, call, given)
		}
	})
}

func TestEndianOf(t *testing.T) {
	for _, a := range arch.All() {
		if got := EndianOf(a.Audit); got != a.Endian {
			t.Errorf("%s: %v, want %v", a, got, a.Endian)
		}
	}
}
