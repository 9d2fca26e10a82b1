package main

import (
	"io"
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// logOptions are the flags of the hook's log.
type logOptions struct {
	file, format, level string
}

// levelEnv sets the level where the flag does not.
const levelEnv = "SECCOMP_HOOK_LOG"

func (o *logOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.file, "log", "-", "`FILE` that the log is appended to, - for stderr")
	cmd.Flags().StringVar(&o.format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&o.level, "log-level", "", "trace, debug, info, warn, error (default $"+levelEnv+", or warn)")
}

func (o *logOptions) toStderr() bool { return o.file == "-" }

// open returns the log, and how to close it.
func (o *logOptions) open(cmd *cobra.Command) (*logrus.Logger, func(), error) {
	log := logrus.New()
	log.SetOutput(cmd.ErrOrStderr())
	switch o.format {
	case "text":
		log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	case "json":
		log.SetFormatter(&logrus.JSONFormatter{})
	default:
		return nil, nil, usage("--log-format %q: must be text or json", o.format)
	}
	name, from := o.level, "--log-level"
	if name == "" {
		name, from = os.Getenv(levelEnv), levelEnv
	}
	if name == "" {
		name = "warn"
	}
	level, err := logrus.ParseLevel(name)
	if err != nil {
		return nil, nil, usage("%s %q: no such level", from, name)
	}
	log.SetLevel(level)
	if o.toStderr() {
		return log, func() {}, nil
	}
	file, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	log.SetOutput(io.Writer(file))
	return log, func() { _ = file.Close() }, nil
}
