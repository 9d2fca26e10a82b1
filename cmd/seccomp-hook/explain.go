package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/bpf"
	"seccomp-hook/pkg/explain"
	"seccomp-hook/pkg/spec"
)

func explainCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "explain [flags] PROFILE CALL…",
		Short: "Say what calls get under a profile, and which rule says so",
		Long: `Say what calls get under a profile, and which rule says so. Rules are counted
from 0, in the profile's order. A CALL is a name or number, with an architecture
in front and arguments behind it if they matter:

  socket    'socket(40, 1)'    'socket(AF_VSOCK, SOCK_STREAM)'    x86:socketcall    0x40000003:11

Without arguments all cases that a call can meet are listed; arguments that are
left out are 0, negative ones as C libraries pass them. A call that the native
architecture lacks is explained for the others that the profile lists.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := t.request(args[0])
			if err != nil {
				return err
			}
			policy, profile, err := r.Policy()
			if err != nil {
				return err
			}
			var failures []error
			for _, text := range args[1:] {
				calls, err := callsOf(text, nativeOf(r.Architectures), policy)
				failures = append(failures, err)
				for _, c := range calls {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), explain.Why(policy, profile, &c.call, c.given)); err != nil {
						return err
					}
				}
			}
			if err := errors.Join(failures...); err != nil {
				return usage("%w", err)
			}
			return nil
		},
	}
	t.register(cmd)
	return cmd
}

// asked is a call that was asked for, and how many of its arguments.
type asked struct {
	call  bpf.Data
	given int
}

// callsOf reads a CALL. One that the native architecture lacks is that of those
// that the profile lists besides.
func callsOf(text string, native *arch.Arch, policy *spec.Policy) ([]asked, error) {
	call, given, err := explain.ParseCall(text, native)
	if err == nil {
		return []asked{{call, given}}, nil
	}
	var list []asked
	for i := range policy.Tokens {
		for _, a := range policy.Tokens[i].Architectures(policy.Other) {
			if call, given, err := explain.ParseCall(text, a); err == nil {
				list = append(list, asked{call, given})
			}
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, err
}
