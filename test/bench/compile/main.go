package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == attachCommand {
		exitOn(attachHere(os.Stdin, os.Stdout))
		return
	}
	if len(os.Args) > 2 && os.Args[1] == fullCommand {
		exitOn(fullHere(os.Args[2:], os.Stdin, os.Stdout))
		return
	}
	rounds := flag.Int("rounds", 60, "rounds of compiling, of which the shortest counts")
	attaches := flag.Int("attaches", 40, "children that attach each program; 0 leaves attaching out")
	only := flag.String("only", "", "the tables whose names have this in them")
	flag.Parse()
	exitOn(run(os.Stdout, *only, *rounds, *attaches))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints the tables whose names have only in them.
func run(out io.Writer, only string, rounds, attaches int) error {
	left, err := leftOut()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Compilers: %s.\n", versions())
	if len(left) > 0 {
		fmt.Fprintf(out, "Left out of all profiles, because libseccomp does not know them or knows another number: %d names.\n", len(left))
	}
	for _, b := range benchmarks {
		if !strings.Contains(b.name, only) {
			continue
		}
		policy, err := b.load(left)
		if err != nil {
			return err
		}
		if err := compare(out, b.name, policy, rounds, attaches); err != nil {
			return err
		}
	}
	if strings.Contains(growthName, only) {
		if err := growth(out, rounds); err != nil {
			return err
		}
	}
	if strings.Contains(fullName, only) {
		return full(out, min(rounds, 5))
	}
	return nil
}
