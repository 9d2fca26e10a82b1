package spec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"seccomp-hook/pkg/bpf"
)

// Encode writes a profile as text that Parse reads back: as an OCI
// linux.seccomp object (FormRuntime) or a Docker-format profile (FormDocker). The
// text is the same for the same profile. The error says that the profile has
// what the form has not.
func (p *Profile) Encode(form Form) ([]byte, error) {
	e := encodedProfile{
		DefaultAction: actionName(p.Default), DefaultErrnoRet: errnoOf(p.Default),
		ListenerPath: p.ListenerPath, ListenerMetadata: p.ListenerMetadata,
		Syscalls: []encodedRule{},
	}
	for _, a := range p.Architectures {
		e.Architectures = append(e.Architectures, a.OCI)
	}
	for _, m := range p.ArchMap {
		e.ArchMap = append(e.ArchMap, encodedArch(m))
	}
	if names := p.Flags.Names(); names != nil {
		e.Flags = &names
	}
	conditional := len(p.ArchMap) > 0
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		r := encodedRule{
			Names: s.Names, Action: actionName(s.Return), ErrnoRet: errnoOf(s.Return),
			Comment: s.Comment, Includes: encodeFilter(s.Includes), Excludes: encodeFilter(s.Excludes),
		}
		for _, a := range s.Args {
			one := encodedArg{Index: a.Index, Value: a.Value, ValueTwo: a.ValueTwo, Op: operatorName(a)}
			r.Args = append(r.Args, one)
		}
		conditional = conditional || s.Comment != "" || r.Includes != nil || r.Excludes != nil
		e.Syscalls = append(e.Syscalls, r)
	}
	switch {
	case p.Disabled:
		return nil, fmt.Errorf("spec: profile %s: %w", p.Name, ErrDisabled)
	case form == FormRuntime && conditional:
		return nil, fmt.Errorf("spec: profile %s: an OCI object has no archMap, comments, includes and excludes", p.Name)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(e)
	return b.Bytes(), err
}

// The text, its properties in the order of the runtime-spec.
type encodedProfile struct {
	DefaultAction    string        `json:"defaultAction"`
	DefaultErrnoRet  *uint16       `json:"defaultErrnoRet,omitempty"`
	Architectures    []string      `json:"architectures,omitempty"`
	ArchMap          []encodedArch `json:"archMap,omitempty"`
	Flags            *[]string     `json:"flags,omitempty"`
	ListenerPath     string        `json:"listenerPath,omitempty"`
	ListenerMetadata string        `json:"listenerMetadata,omitempty"`
	Syscalls         []encodedRule `json:"syscalls"`
}

type encodedArch struct {
	Architecture     string   `json:"architecture"`
	SubArchitectures []string `json:"subArchitectures"`
}

type encodedRule struct {
	Names    []string       `json:"names"`
	Action   string         `json:"action"`
	ErrnoRet *uint16        `json:"errnoRet,omitempty"`
	Args     []encodedArg   `json:"args,omitempty"`
	Comment  string         `json:"comment,omitempty"`
	Includes *encodedFilter `json:"includes,omitempty"`
	Excludes *encodedFilter `json:"excludes,omitempty"`
}

type encodedArg struct {
	Index    uint8  `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"`
	Op       string `json:"op"`
}

type encodedFilter struct {
	Caps      []string `json:"caps,omitempty"`
	Arches    []string `json:"arches,omitempty"`
	MinKernel *string  `json:"minKernel,omitempty"` // "" is not none
}

func encodeFilter(f *Filter) *encodedFilter {
	if f == nil {
		return nil
	}
	e := &encodedFilter{Caps: f.Caps, Arches: f.Arches}
	if f.MinKernel != nil {
		e.MinKernel = new(string)
		if *f.MinKernel != (KernelVersion{}) {
			*e.MinKernel = f.MinKernel.String()
		}
	}
	return e
}

// actionName returns an action's name in a profile.
func actionName(r bpf.Return) string {
	for name, ret := range actions {
		if ret == r.Action() && name != "SCMP_ACT_KILL" {
			return name
		}
	}
	return "" // no profile has it
}

// errnoOf returns the errno of actions that take one.
func errnoOf(r bpf.Return) *uint16 {
	if action := r.Action(); action != bpf.RetErrno && action != bpf.RetTrace {
		return nil
	}
	errno := r.Data()
	return &errno
}

// operatorName returns an operator's name in a profile.
func operatorName(a Arg) string {
	if a.Masked {
		return "SCMP_CMP_MASKED_EQ"
	}
	for name, op := range operators {
		if op == a.Op && name != "SCMP_CMP_MASKED_EQ" {
			return name
		}
	}
	return ""
}
