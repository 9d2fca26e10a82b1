package runtime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"seccomp-hook/pkg/printable"
)

// exitFailure is the exit code of a runtime that could not do what it was asked
// for; runc's exec has one of its own (runc, exec.go).
const (
	exitFailure     = 1
	exitFailureExec = 255
)

// reporter tells of errors as the real runtime tells of its own, because
// engines look for them there: on standard error, and in the file of --log in
// the form of --log-format (runc, main.go, fatal; go-runc,
// getLastRuntimeError, takes the last entry of level "error" from the file).
type reporter struct {
	Log    string // path, "" for none
	Format string
}

// reporter makes a reporter of the command line.
func (w *wrapper) reporter() reporter {
	r := reporter{strings.TrimPrefix(w.Log, "file:"), w.LogFormat} // crun takes "file:", "journald:" and "syslog:"
	if strings.HasPrefix(r.Log, "journald:") || strings.HasPrefix(r.Log, "syslog:") {
		r.Log = ""
	}
	if r.Log != "" {
		if path, err := filepath.Abs(r.Log); err == nil {
			r.Log = path
		}
	}
	return r
}

// fail reports an error and returns the exit code.
func (w *wrapper) fail(err error) (code int) {
	w.reporter().report(w.stderr, err)
	if w.Command == "exec" && w.kind == Runc {
		return exitFailureExec
	}
	return exitFailure
}

// report tells of an error, in one line.
func (r reporter) report(stderr io.Writer, err error) {
	text := strings.ReplaceAll(printable.Text(err.Error()), "\n", "; ")
	if r.tell(stderr, "error", text) {
		fmt.Fprintln(stderr, text)
	}
}

// tell writes an entry to the file, and reports whether there is one; if not,
// to standard error.
func (r reporter) tell(stderr io.Writer, level, text string) (file bool) {
	if r.log(level, text) {
		return true
	}
	_, _ = stderr.Write(r.entry(level, text)) // nobody is left to tell
	return false
}

// log appends an entry to the file, and reports whether there is one.
func (r reporter) log(level, text string) bool {
	if r.Log == "" {
		return false
	}
	file, err := os.OpenFile(r.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = file.Write(r.entry(level, text))
	return err == nil
}

// entry renders one line as logrus does, which is what runc logs with.
func (r reporter) entry(level, text string) []byte {
	text = printable.Text(text)
	now := time.Now().Format(time.RFC3339)
	if r.Format != "json" {
		return fmt.Appendf(nil, "time=%q level=%s msg=%q\n", now, level, text)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings cannot fail
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, text, now})
	return b.Bytes()
}
