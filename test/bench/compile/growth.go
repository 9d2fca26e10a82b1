package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/compile"
	"seccomp-hook/pkg/spec"
)

const growthName = "Growth"

// growth prints how length and time grow with the rules: with all of them on
// the arguments of one call, and with five for each of as many calls as there
// are.
func growth(out io.Writer, rounds int) error {
	fmt.Fprintf(out, "\n### %s\n\n", growthName)
	fmt.Fprintln(out, "| rules with arguments | length, one call | resolve and compile | length, many calls | resolve and compile |")
	fmt.Fprintln(out, "| ---: | ---: | ---: | ---: | ---: |")
	for _, n := range []int{10, 30, 100, 300, 1000, 2000, 3000, 4000} {
		one, oneTime, err := grow(oneCall(n), rounds)
		if err != nil {
			return err
		}
		many, manyTime, err := grow(manyCalls(n), rounds)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %d | %s | %d µs | %s | %d µs |\n", n, one, oneTime.Microseconds(), many, manyTime.Microseconds())
	}
	return nil
}

// grow returns the program's length, or that there is none, and the shortest
// time.
func grow(p *spec.Profile, rounds int) (length string, took time.Duration, err error) {
	var times []time.Duration
	for range rounds {
		runtime.GC()
		start := time.Now()
		policy, err := p.Resolve(spec.Target{Native: p.Architectures[0]})
		if err != nil {
			return "", 0, err
		}
		program, err := compile.Compile(policy, compile.Options{})
		times = append(times, time.Since(start))
		length = fmt.Sprint(len(program))
		var tooLarge *compile.TooLargeError
		if errors.As(err, &tooLarge) {
			length = fmt.Sprintf("%d: error", tooLarge.Instructions)
		} else if err != nil {
			return "", 0, err
		}
	}
	return length, slices.Min(times), nil
}

// oneCall allows n commands of ioctl.
func oneCall(n int) *spec.Profile {
	p := profile()
	for i := range n {
		p.Syscalls = append(p.Syscalls, rule("ioctl", 1, uint64(0x5400+7*i)))
	}
	return p
}

// manyCalls allows five values of an argument each, call by call.
func manyCalls(n int) *spec.Profile {
	p := profile()
	var names []string
	for _, c := range p.Architectures[0].Calls() {
		names = append(names, c.Name())
	}
	for i := range n {
		p.Syscalls = append(p.Syscalls, rule(names[i/5%len(names)], uint8(i/5%3), uint64(i*i%1000)+uint64(i/5)))
	}
	return p
}

func profile() *spec.Profile {
	x86_64, _ := arch.ByName("x86_64")
	return &spec.Profile{Name: "growth", Default: bpf.Errno(1), Architectures: []*arch.Arch{x86_64}}
}

func rule(name string, arg uint8, value uint64) spec.Syscall {
	return spec.Syscall{Names: []string{name}, Return: bpf.RetAllow, Args: []spec.Arg{{Index: arg, Op: spec.EQ, Value: value}}}
}
