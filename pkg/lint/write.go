package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// WriteText writes findings for people, one line each, and under it what to do.
func WriteText(w io.Writer, findings []Finding) error {
	for i, f := range findings {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
		// The advice once for those of a kind.
		if i+1 == len(findings) || findings[i+1].Rule != f.Rule {
			if _, err := fmt.Fprintf(w, "\t%s\n", f.Rule.Advice); err != nil {
				return err
			}
		}
	}
	return nil
}

// Version is the version of what WriteJSON writes. It grows when a field changes
// its meaning or goes; new ones may come.
const Version = 1

type report struct {
	Version  int             `json:"version"`
	Findings []reportFinding `json:"findings"`
}

type reportFinding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"`
	Profile  string   `json:"profile"`
	Rule     *int     `json:"rule,omitempty"`
	Path     string   `json:"path"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Calls    []string `json:"calls,omitempty"`
	Where    string   `json:"where,omitempty"`
	Message  string   `json:"message"`
	Advice   string   `json:"advice"`
}

// WriteJSON writes findings as one object, as docs/lint.md has it.
func WriteJSON(w io.Writer, findings []Finding) error {
	r := report{Version: Version, Findings: []reportFinding{}}
	for _, f := range findings {
		one := reportFinding{
			ID: f.Rule.ID, Severity: f.Rule.Severity.String(), Profile: f.Profile, Path: f.Path,
			Line: f.Position.Line, Column: f.Position.Column, Calls: f.Calls, Where: f.Where,
			Message: f.Message, Advice: f.Rule.Advice,
		}
		if f.Syscall >= 0 {
			one.Rule = &f.Syscall
		}
		r.Findings = append(r.Findings, one)
	}
	return write(w, r)
}

func write(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// What SARIF 2.1.0 (OASIS) calls these things, as far as they are written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID            string    `json:"id"`
		Short         sarifText `json:"shortDescription"`
		Help          sarifText `json:"help"`
		Configuration struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
		Logical []sarifName `json:"logicalLocations"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
	sarifName struct {
		Name string `json:"fullyQualifiedName"`
	}
)

// WriteSARIF writes findings as a SARIF 2.1.0 log, as code hosts read it;
// version is that of seccomp-hook.
func WriteSARIF(w io.Writer, findings []Finding, version string) error {
	var run sarifRun
	run.Tool.Driver = sarifDriver{Name: "seccomp-hook", Version: version}
	run.ColumnKind = "unicodeCodePoints"
	run.Results = []sarifResult{}
	for i := range rules {
		r := sarifRule{ID: rules[i].ID, Short: sarifText{rules[i].Summary}, Help: sarifText{rules[i].Advice + "\n\nSource: " + rules[i].Source}}
		r.Configuration.Level = rules[i].Severity.String()
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, r)
	}
	for _, f := range findings {
		var at sarifLocation
		at.Physical.Artifact.URI = uri(f.Profile)
		if f.Position.Line > 0 {
			at.Physical.Region = &sarifRegion{f.Position.Line, f.Position.Column}
		}
		at.Logical = []sarifName{{f.Path}}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule.ID, RuleIndex: f.Rule.place(), Level: f.Rule.Severity.String(),
			Message: sarifText{f.text()}, Locations: []sarifLocation{at},
		})
	}
	return write(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

// uri writes a path as a URI reference.
func uri(path string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F", "[", "%5B", "]", "%5D").Replace(filepath.ToSlash(path))
}
