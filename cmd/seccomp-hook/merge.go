package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/decompile"
	"seccomp-hook/pkg/spec"
	"seccomp-hook/pkg/verify"
)

func mergeCommand() *cobra.Command {
	var t target
	var o profileOutput
	var mode string
	cmd := &cobra.Command{
		Use:   "merge [flags] PROFILE PROFILE…",
		Short: "Write one profile for several",
		Long: `Write one profile for several, in the order in which their filters would be
installed, and prove it.

  stack  each call gets what the kernel gives it when all are installed: the
         strictest action, and of equal ones the last profile's errno
  union  each call gets the mildest action, what any of them allows

The result is for one target: what Docker-format profiles say of capabilities,
architectures and kernels is decided by --caps, --arch and the running kernel.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			m, known := mergeModes[mode]
			if !known {
				return usage("--mode %q: must be stack or union", mode)
			}
			sources := make([]source, len(args))
			for i, name := range args {
				var err error
				if sources[i], err = t.source(name); err != nil {
					return err
				}
				for _, w := range sources[i].policy.Warnings {
					tell(cmd, []string{fmt.Sprintf("profile %s: %s", name, w)})
				}
			}
			options, err := m.options(sources)
			if err != nil {
				return err
			}
			filters := make([]verify.Filter, len(sources))
			for i, s := range sources {
				filters[i] = verify.OfPolicy(s.policy)
			}
			result, err := decompile.Profile(m.together(filters...), options)
			if err != nil {
				return err
			}
			return o.write(cmd, result, nil)
		},
	}
	t.register(cmd)
	o.register(cmd)
	cmd.Flags().StringVar(&mode, "mode", "stack", "stack (the strictest) or union (the mildest)")
	return cmd
}

// source is a profile that is merged, and what it means for the target.
type source struct {
	*spec.Profile
	policy *spec.Policy
	target *target
}

func (t *target) source(name string) (source, error) {
	r, err := t.request(name)
	if err != nil {
		return source{}, err
	}
	policy, profile, err := r.Policy()
	return source{profile, policy, t}, err
}

// mergeMode says how filters are put together.
type mergeMode struct {
	together func(...verify.Filter) verify.Filter
}

var mergeModes = map[string]mergeMode{
	"stack": {verify.Stack},
	"union": {verify.Union},
}

// errListeners says that profiles want different agents.
var errListeners = errors.New("the profiles notify different agents, and a thread has one listener")

// options says what becomes of what the kernel does not ask a filter for.
// Flags: LOG is kept where one has it; SPEC_ALLOW where all have it, as the
// kernel takes the mitigation off a thread only if no filter asked for it;
// WAIT_KILLABLE_RECV where a profile that notifies has it. A profile that says
// nothing counts as one with SPEC_ALLOW, as in runc.
func (m *mergeMode) options(sources []source) (decompile.Options, error) {
	o := decompile.Options{Flags: spec.Flags{SpecAllow: true, Unset: true}}
	archs, err := architectures(sources[0].target.archs)
	if err != nil {
		return o, err
	}
	o.Native = nativeOf(archs)
	names := make([]string, len(sources))
	notified := false
	for i, s := range sources {
		names[i] = s.Name
		o.Flags.Unset = o.Flags.Unset && s.Flags.Unset
		o.Flags.Log = o.Flags.Log || s.Flags.Log
		o.Flags.SpecAllow = o.Flags.SpecAllow && (s.Flags.SpecAllow || s.Flags.Unset)
		if !s.policy.Listener {
			continue
		}
		if notified && (o.ListenerPath != s.ListenerPath || o.ListenerMetadata != s.ListenerMetadata) {
			return o, fmt.Errorf("%s and %s: %w", strings.Join(names[:i], ", "), s.Name, errListeners)
		}
		notified = true
		o.ListenerPath, o.ListenerMetadata = s.ListenerPath, s.ListenerMetadata
		o.Flags.WaitKillableRecv = o.Flags.WaitKillableRecv || s.Flags.WaitKillableRecv
	}
	o.Name = strings.Join(names, "+")
	return o, nil
}
