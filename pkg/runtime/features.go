package runtime

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"seccomp-hook/pkg/arch"
	"seccomp-hook/pkg/filter"
	"seccomp-hook/pkg/install"
)

// features prints the real runtime's features, with what is different here: what
// the filters can be is up to this project and the kernel, not to the
// libseccomp that the real runtime is built with. Where that does not answer,
// it is left to say why.
func (w *wrapper) features() (done bool, code int) {
	text, err := exec.Command(w.real, w.then...).Output()
	if err != nil {
		return false, 0
	}
	if text, err = editFeatures(text); err != nil {
		return false, 0
	}
	if _, err := os.Stdout.Write(text); err != nil {
		return true, w.fail(err)
	}
	return true, 0
}

// editFeatures replaces linux.seccomp, and adds the annotations that change what
// this runtime does; all else keeps its bytes.
func editFeatures(text []byte) ([]byte, error) {
	const unsafeAnnotations = "potentiallyUnsafeConfigAnnotations"
	var f features.Features
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	text, err := replaceJSON(text, seccompFeatures(), "linux", "seccomp")
	if err != nil || f.PotentiallyUnsafeConfigAnnotations == nil {
		return text, err
	}
	return replaceJSON(text, append(f.PotentiallyUnsafeConfigAnnotations, filter.AnnotationPrefix), unsafeAnnotations)
}

// seccompFeatures says what filters can be here.
func seccompFeatures() *features.Seccomp {
	enabled := true
	s := &features.Seccomp{
		Enabled: &enabled,
		Actions: names(specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread,
			specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap),
		Operators: names(specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpLessEqual, specs.OpLessThan,
			specs.OpMaskedEqual, specs.OpNotEqual),
		KnownFlags: names("SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagLog,
			specs.LinuxSeccompFlagWaitKillableRecv),
		SupportedFlags: install.OCIFlags(),
	}
	for _, a := range arch.All() {
		s.Archs = append(s.Archs, a.OCI)
	}
	slices.Sort(s.Archs)
	return s
}

func names[T ~string](list ...T) []string {
	var words []string
	for _, word := range list {
		words = append(words, string(word))
	}
	return words
}

// replaceJSON replaces the value of a property, which must be there, in a
// JSON text; all other bytes stay.
func replaceJSON(text []byte, value any, path ...string) ([]byte, error) {
	replacement, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(text, &properties); err != nil {
		return nil, err
	}
	old := properties[path[0]]
	if len(path) > 1 {
		if replacement, err = replaceJSON(old, value, path[1:]...); err != nil {
			return nil, err
		}
	}
	// A RawMessage has its bytes as they are in the text. A runtime's own
	// output has each property once.
	at := valueAt(text, path[0])
	if at < 0 || !bytes.HasPrefix(text[at:], old) {
		return text, nil
	}
	return slices.Concat(text[:at], replacement, text[at+len(old):]), nil
}

// valueAt returns where the value of a property of the object in text begins, -1
// where it has none of that name.
func valueAt(text []byte, name string) int {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return -1
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return -1
		}
		at := int(d.InputOffset())
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return -1
		}
		if key == name {
			return at + bytes.Index(text[at:], value)
		}
	}
	return -1
}
