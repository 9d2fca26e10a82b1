package runtime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// exitFailure is the exit code of a runtime that could not do what it was asked
// for; runc's exec has one of its own (runc, exec.go).
const (
	exitFailure     = 1
	exitFailureExec = 255
)

// report tells of an error as the real runtime tells of its own, because
// engines look for it there: on standard error, and in the file of --log in
// the form of --log-format (runc, main.go, fatal; containerd, go-runc,
// getLastRuntimeError, takes the last entry of level "error" from the file).
func (w *wrapper) report(err error) (code int) {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if w.tell("error", text) {
		fmt.Fprintln(os.Stderr, text)
	}
	if w.Command == "exec" && w.kind() == runcKind {
		return exitFailureExec
	}
	return exitFailure
}

// tell writes an entry to the file of --log, and reports whether there is one;
// if not, to standard error.
func (w *wrapper) tell(level, text string) (file bool) {
	if w.log(level, text) {
		return true
	}
	_, _ = os.Stderr.Write(logEntry(level, text, w.LogFormat)) // nobody is left to tell
	return false
}

// log appends an entry to the file of --log, and reports whether there is one.
func (w *wrapper) log(level, text string) bool {
	path := strings.TrimPrefix(w.Log, "file:") // crun takes "file:", "journald:" and "syslog:"
	if path == "" || strings.HasPrefix(path, "journald:") || strings.HasPrefix(path, "syslog:") {
		return false
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = file.Write(logEntry(level, text, w.LogFormat))
	return err == nil
}

// logEntry renders one line as logrus does, which is what runc logs with.
func logEntry(level, text, format string) []byte {
	now := time.Now().Format(time.RFC3339)
	if format != "json" {
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
