package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"seccomp-hook/pkg/printable"
)

// TestNothingControlsTheTerminal walks the commands, with names and profiles that
// hold escape sequences wherever a text can be: none reaches an output.
func TestNothingControlsTheTerminal(t *testing.T) {
	const evil = "\x1b[31m\x07\r\u009b\u202e"
	dir := t.TempDir()
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	text := string(quoted)
	files := map[string]string{
		evil + "names.json":   `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare",` + text + `],"action":"SCMP_ACT_ERRNO"}]}`,
		evil + "action.json":  `{"defaultAction":` + text + `}`,
		evil + "key.json":     `{"defaultAction":"SCMP_ACT_ALLOW",` + text + `:1,` + text + `:2}`,
		evil + "flags.json":   `{"defaultAction":"SCMP_ACT_ALLOW","flags":[` + text + `],"architectures":[` + text + `]}`,
		evil + "notify.json":  `{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":` + text + `,"listenerMetadata":` + text + `,"syscalls":[{"names":["unshare"],"action":"SCMP_ACT_NOTIFY"}]}`,
		evil + "docker.json":  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"unshare","comment":` + text + `,"includes":{"caps":[` + text + `]},"action":"SCMP_ACT_ERRNO"}]}`,
		evil + "no.json":      evil,
		evil + "config.json":  `{"ociVersion":"1.2.0","annotations":{` + text + `:` + text + `,"io.seccomp-hook.profile":` + text + `},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`,
		evil + "nowhere.json": "",
	}
	var paths []string
	for name, content := range files {
		path := filepath.Join(dir, name)
		paths = append(paths, path)
		if content == "" {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := `{"ociVersion":` + text + `,"id":` + text + `,"pid":1,"status":"creating","bundle":` + text + `,"annotations":{` + text + `:` + text + `}}`
	began, walked := false, 0
	var walk func(cmd *cobra.Command, words []string)
	walk = func(cmd *cobra.Command, words []string) {
		for _, sub := range cmd.Commands() {
			walk(sub, append(words[:len(words):len(words)], sub.Name()))
		}
		lines := [][]string{{evil}, {"--" + evil}, {evil, evil}, {"--root", dir + evil}, {"--format", evil}, {"--pid", evil}, {evil, "--pid", "x"}}
		for _, path := range paths {
			lines = append(lines, []string{path}, []string{path, path}, []string{"--format", "json", path}, []string{path, evil})
		}
		for _, line := range lines {
			if len(words) == 0 && !strings.HasPrefix(line[0], "-") {
				continue // a name of a command
			}
			var stdout, stderr bytes.Buffer
			code := run(append(words[:len(words):len(words)], line...), strings.NewReader(state), &stdout, &stderr)
			if len(words) > 0 && words[0] == "compile" && code == 0 && len(line) == 1 {
				continue // the program's bytes
			}
			for _, out := range []string{stdout.String(), stderr.String()} {
				if printable.Text(out) != out {
					t.Errorf("%q: %q", append(words, line...), out)
				}
			}
			walked++
		}
	}
	walk(newRoot(&began), nil)
	if walked < 300 {
		t.Errorf("%d command lines; that tells little", walked)
	}
}
