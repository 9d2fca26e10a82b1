package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"seccomp-hook/pkg/hook"
	"seccomp-hook/pkg/printable"
)

// The attendant's answer is one of these, the latter with the reason behind
// it. Nothing at all is no answer: the attendant has ended.
const (
	answerDone   = "+"
	answerFailed = "-"
)

// announce is the createRuntime hook: it hands the state on its standard input
// to the attendant, and fails if the attendant does not say that the filter is
// installed. A runtime destroys a container whose hook fails.
func announce(args []string) int {
	if err := announceTo(args); err != nil {
		fmt.Fprintln(os.Stderr, "seccomp-hook:", strings.ReplaceAll(printable.Text(err.Error()), "\n", "; "))
		return exitFailure
	}
	at(StepReturn)
	return 0
}

func announceTo(args []string) error {
	at(StepAnnounce)
	if len(args) != 1 {
		return errors.New("announce: one argument is needed, the attendant's socket")
	}
	state, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("announce: state: %w", err)
	}
	answer, err := ask(args[0], state)
	switch {
	case err != nil:
		return errors.Join(fmt.Errorf("announce: the attendant has ended: %w", err), standFor(args[0], state))
	case answer == "":
		return errors.Join(errors.New("announce: the attendant has ended without an answer"), standFor(args[0], state))
	case answer != answerDone:
		return errors.New(strings.TrimPrefix(answer, answerFailed))
	}
	return nil
}

// ask hands the state to the attendant and returns its answer.
func ask(socket string, state []byte) (answer string, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	attendant := os.NewFile(uintptr(fd), "attendant")
	defer attendant.Close()
	// The directory of the socket is root's alone, so is whoever answers.
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return "", os.NewSyscallError("connect", err)
	}
	if _, err := attendant.Write(state); err != nil {
		return "", err
	}
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		return "", os.NewSyscallError("shutdown", err)
	}
	text, err := io.ReadAll(attendant)
	return string(text), err
}

// standFor does for a dead attendant what it has left undone: its socket goes,
// and the bundle gets its own config.json back.
func standFor(socket string, text []byte) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	state, err := hook.ReadState(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return recoverBundle(state.Bundle)
}
