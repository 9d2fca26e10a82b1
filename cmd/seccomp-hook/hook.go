package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/runtime"
)

// hookCommand is prestart or createRuntime: the same for different moments of
// the runtime.
func hookCommand(name, short string) *cobra.Command {
	var o hook.Options
	var l logOptions
	var r recorder
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `. The OCI state is read from stdin.

The profile is the one that the annotation io.seccomp-hook.profile names (a
file beneath a --profile-dir, builtin:docker, builtin:containerd); else
linux.seccomp of the bundle's config.json, which the runtime installs too; else
--default-profile; else no filter is installed.

What was done can be read with "seccomp-hook state ID".

` + exitCodes,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin := time.Now()
			log, done, err := l.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			r.profileDirs = o.ProfileDirs
			state, err := r.start(cmd.InOrStdin())
			if err != nil {
				if !l.toStderr() { // which gets the error anyhow
					log.WithField("hook", name).Error(err)
				}
				return err
			}
			result, err := hook.Run(cmd.Context(), state, o)
			if err != nil {
				if !l.toStderr() { // which gets the error anyhow
					log.WithField("hook", name).Error(err)
				}
				return err
			}
			report(log.WithFields(logrus.Fields{"hook": name, "container": result.ID}), result, time.Since(begin))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Observe, "observe", false, "publish statistics, install nothing")
	flags.StringVar(&o.DefaultProfile, "default-profile", "", "`PROFILE` of containers that have none")
	flags.StringArrayVar(&o.ProfileDirs, "profile-dir", []string{hook.DefaultProfileDir}, "`DIR` of the profiles that annotations name; can be repeated")
	flags.BoolVar(&o.AnnotationReplaces, "annotation-replaces", false, "let an annotation's profile replace the default, instead of making it stricter")
	flags.BoolVar(&o.Strict, "strict", false, "refuse profiles with unknown properties or calls")
	r.register(cmd)
	flags.StringVar(&o.Profile, "profile", "", "`PROFILE` of this container, whatever its annotations and config.json say besides")
	rootFlag(cmd, &o.Root)
	l.register(cmd)
	return cmd
}

// rootFlag adds the flag for where the hook publishes.
func rootFlag(cmd *cobra.Command, root *string) {
	cmd.Flags().StringVar(root, "root", hook.DefaultRoot, "`DIR` of the containers' states and of the store")
}

// report logs what the hook did.
func report(log *logrus.Entry, result *hook.Result, took time.Duration) {
	for _, w := range result.Warnings {
		log.Warn(w)
	}
	if f := result.Filter; f != nil {
		// The profile's warnings are news once, not at every start.
		level := logrus.WarnLevel
		if result.Annotations[filter.AnnotationStore] == filter.Hit {
			level = logrus.DebugLevel
		}
		for _, w := range f.Warnings {
			log.Log(level, w)
		}
	}
	fields := logrus.Fields{"took": took.Round(time.Microsecond).String()}
	for _, name := range slices.Sorted(maps.Keys(result.Annotations)) {
		fields[strings.TrimPrefix(name, filter.AnnotationPrefix)] = result.Annotations[name]
	}
	message := "filter installed"
	switch result.Annotations[filter.AnnotationInstallMode] {
	case hook.ModeNone:
		message = "no profile, no filter installed"
	case hook.ModeObserve:
		message = "observed, no filter installed"
	}
	log.WithFields(fields).Info(message)
}

func poststopCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "poststop",
		Short: "Forget a container, as poststop hook",
		Long: `Forget what was published of a container, as poststop hook. The OCI state is
read from stdin. Without this hook the states of ended containers are removed
by later starts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return hook.Poststop(cmd.InOrStdin(), root)
		},
	}
	rootFlag(cmd, &root)
	return cmd
}

func stateCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:   "state ID",
		Short: "Print a container's OCI state with the annotations of its filter",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: containers,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := hook.State(root, args[0])
			if errors.Is(err, hook.ErrNoContainer) && root == hook.DefaultRoot {
				if kept, keptErr := runtime.Kept(runtime.StateRoot(runtime.Crun, ""), args[0]); keptErr == nil {
					text, err = kept, nil
				}
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	rootFlag(cmd, &root)
	return cmd
}
