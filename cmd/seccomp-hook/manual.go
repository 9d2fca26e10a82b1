//go:build manual

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// What writes the man pages is not in the program that is installed, because
// nobody needs it there: see hack/manual.sh.
func init() {
	extra = append(extra, func() *cobra.Command {
		return &cobra.Command{
			Use:    "manual DIR",
			Hidden: true,
			Args:   cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				root := cmd.Root()
				root.DisableAutoGenTag = true
				for _, sub := range append(root.Commands(), root) {
					sub.Long = verbatim(sub.Long)
					if sub.Name() == "completion" { // cobra's, one page a shell
						root.RemoveCommand(sub)
					}
				}
				return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "seccomp-hook", Manual: "seccomp-hook"}, args[0])
			},
		}
	})
}

// verbatim makes what is indented in a help text a block of its own in
// Markdown, from which the pages are made: it is a list or a table there.
func verbatim(help string) string {
	var b strings.Builder
	before := ""
	for line := range strings.Lines(help) {
		indented, was := strings.HasPrefix(line, "  "), strings.HasPrefix(before, "  ")
		if indented != was && strings.TrimSpace(before) != "" && strings.TrimSpace(line) != "" {
			b.WriteString("\n")
		}
		if indented {
			b.WriteString("  ") // four are code
		}
		b.WriteString(line)
		before = line
	}
	return b.String()
}
