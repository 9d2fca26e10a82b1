package runtime

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"seccomp-hook/pkg/printable"
)

// An error has the names of others in it, and goes to a terminal and to a log.
func TestReportPrints(t *testing.T) {
	err := errors.New("annotation \x1b[31m\x07\r\u009b\u202e:\nnothing")
	for _, format := range []string{"text", "json"} {
		r := reporter{filepath.Join(t.TempDir(), "log"), format}
		var stderr bytes.Buffer
		r.report(&stderr, err)
		log, readErr := os.ReadFile(r.Log)
		if readErr != nil {
			t.Fatal(readErr)
		}
		for _, text := range []string{stderr.String(), string(log)} {
			if text == "" || printable.Text(text) != text || bytes.Count([]byte(text), []byte("\n")) != 1 {
				t.Errorf("%s: %q", format, text)
			}
		}
	}
}
