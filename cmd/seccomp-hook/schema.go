package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// schemaVersion is the version of what --format json writes, in docs/json.md. It
// grows when a field goes or changes its meaning; a new field does not change
// it.
const schemaVersion = 1

// formatFlag adds --format to a command that writes text or JSON.
func formatFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVar(format, "format", "text", "text or json")
}

// printJSON writes one document.
func printJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
