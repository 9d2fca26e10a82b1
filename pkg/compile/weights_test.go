package compile

import (
	"errors"
	"strings"
	"testing"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/spec"
)

func TestParseWeights(t *testing.T) {
	w, err := ParseWeights(strings.NewReader(`
# made by hand
clone 20
socket	2.5    # more than most
x86:socketcall 7
39 3           # by number
x32:0x40000200 1e3
* 0.5
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arch string
		call string
		want int64 // thousandths
	}{
		{"x86_64", "clone", 20000},
		{"x86", "clone", 20000},
		{"x86_64", "socket", 2500},
		{"x86", "socketcall", 7000},
		{"s390x", "socketcall", 500},
		{"x86_64", "getpid", 3000}, // number 39
		{"x86", "mkdir", 500},      // number 39, but not native
		{"x32", "rt_sigaction", 1000000},
		{"x86_64", "read", 500},
	} {
		a, _ := arch.ByName(test.arch)
		call, _ := arch.FindCall(test.call)
		nr, ok := a.NumberOf(call)
		if !ok {
			t.Fatalf("%s has no %s", test.arch, test.call)
		}
		if got, given := w.of(a, test.arch == "x86_64", nr, call); !given || got != test.want {
			t.Errorf("%s on %s weighs %d (%t), want %d thousandths", test.call, test.arch, got, given, test.want)
		}
	}
}

func TestParseWeightsErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"clone", "compile: weights: line 1: must be a call and its weight"},
		{"clone 1 2", "compile: weights: line 1: must be a call and its weight"},
		{"\n\nclone x", `compile: weights: line 3: weight "x" is not a number from 0 to 1e9`},
		{"clone -1", `compile: weights: line 1: weight "-1" is not a number from 0 to 1e9`},
		{"clone NaN", `compile: weights: line 1: weight "NaN" is not a number from 0 to 1e9`},
		{"clone 1e10", `compile: weights: line 1: weight "1e10" is not a number from 0 to 1e9`},
		{"klone 1", `compile: weights: line 1: unknown call "klone"`},
		{"vax:clone 1", `compile: weights: line 1: unknown architecture "vax"`},
		{"x86_64:socketcall 1", `compile: weights: line 1: x86_64 has no call "socketcall"`},
	} {
		_, err := ParseWeights(strings.NewReader(test.text))
		var wrong *WeightsError
		if !errors.As(err, &wrong) || err.Error() != test.want {
			t.Errorf("%q: error is %v, want %s", test.text, err, test.want)
		}
	}
}

func FuzzParseWeights(f *testing.F) {
	f.Add("clone 1\n* 0\nx86:3 1e9 #\n")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWeights(strings.NewReader(text))
		if (w == nil) == (err == nil) {
			t.Fatalf("%v and %v", w, err)
		}
		if err != nil {
			return
		}
		// No weights break a program.
		p := onOff()
		program, err := Compile(p, Options{Weights: w})
		if err != nil {
			t.Fatal(err)
		}
		for nr := range uint32(64) {
			d := bpf.Data{Arch: p.Tokens[0].Audit, Nr: nr}
			words := d.Words(p.Endian)
			if got, err := program.Run(&words); err != nil || got != p.Evaluate(&d) {
				t.Fatalf("call %d gets %s (%v), want %s\n%s", nr, got, err, p.Evaluate(&d), program)
			}
		}
	})
}

// onOff returns a policy that denies some calls here and there.
func onOff() *spec.Policy {
	var ranges []spec.Range
	for nr := range uint32(60) {
		v := spec.Verdict{Default: bpf.RetAllow}
		if nr*nr%7 == 2 {
			v.Default = bpf.Errno(1)
		}
		ranges = append(ranges, spec.Range{First: nr, Last: nr, Verdict: v})
	}
	ranges[59].Last = ^uint32(0)
	return &spec.Policy{Tokens: []spec.Token{{Audit: 0xc000003e, Ranges: ranges}}}
}

// TestWeightsDecide makes a call heavy and finds it near the beginning.
func TestWeightsDecide(t *testing.T) {
	p := onOff()
	for _, nr := range []uint32{3, 17, 38, 59} {
		a, _ := arch.ByAudit(p.Tokens[0].Audit)
		w, err := ParseWeights(strings.NewReader(a.CallName(nr) + " 1000\n* 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		depth := func(o Options) int {
			program, err := Compile(p, o)
			if err != nil {
				t.Fatal(err)
			}
			d := bpf.Data{Arch: a.Audit, Nr: nr}
			words := d.Words(p.Endian)
			_, n, err := program.RunCount(&words)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if light, heavy := depth(Options{Optimize: Depth}), depth(Options{Optimize: Depth, Weights: w}); heavy > min(light, 6) {
			t.Errorf("%s takes %d instructions, %d where it is all that counts", a.CallName(nr), light, heavy)
		}
	}
}
