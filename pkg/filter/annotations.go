package filter

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of the annotations. Each has one plain value, so that jq, labels and
// templates can use them.
const (
	AnnotationPrefix = "io.seccomp-hook."

	// AnnotationProfile names where the profile came from. As input it names
	// the profile to use: a path beneath a profile directory,
	// "builtin:docker" or "builtin:containerd".
	AnnotationProfile       = AnnotationPrefix + "profile"
	AnnotationProfileDigest = AnnotationPrefix + "profile.sha256"
	AnnotationProgramDigest = AnnotationPrefix + "program.sha256"
	AnnotationInstructions  = AnnotationPrefix + "program.instructions"
	AnnotationCompiler      = AnnotationPrefix + "compiler"
	AnnotationVerified      = AnnotationPrefix + "verified" // "true" only where the proof ran on this program

	// AnnotationStore is Hit or Miss.
	AnnotationStore = AnnotationPrefix + "store"
	// AnnotationInstallMode is how the filter got into the container; "none"
	// where there is no profile.
	AnnotationInstallMode         = AnnotationPrefix + "install.mode"
	AnnotationInstallMicroseconds = AnnotationPrefix + "install.microseconds"

	// AnnotationDispatch, as input, says from where the container's program may
	// make system calls (install.ParseAreas). What came of it is known when the
	// program begins: the area in AnnotationDispatchArea, or why the program was
	// killed instead in AnnotationDispatchError.
	AnnotationDispatch      = AnnotationPrefix + "dispatch"
	AnnotationDispatchArea  = AnnotationPrefix + "dispatch.area"
	AnnotationDispatchError = AnnotationPrefix + "dispatch.error"
)

// Claims returns the names, in order, of those of a container's annotations that
// are not its to have: they begin with AnnotationPrefix and are no input. Whoever
// starts the container has written them, and they say what this project alone can
// say. They are taken for nothing, and taken out of what others would read.
func Claims(annotations map[string]string) []string {
	var names []string
	for name := range annotations {
		if strings.HasPrefix(name, AnnotationPrefix) && name != AnnotationProfile && name != AnnotationDispatch {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Values of AnnotationStore.
const (
	Hit  = "hit"
	Miss = "miss"
)

// Annotations returns what is to be said of f in annotations: everything
// except AnnotationStore and the AnnotationInstall ones, which belong to one
// start and not to the filter.
func (f *Filter) Annotations() map[string]string {
	program := f.Program.Digest()
	a := map[string]string{
		AnnotationProfile:       f.Profile,
		AnnotationProfileDigest: hex.EncodeToString(f.ProfileDigest[:]),
		AnnotationProgramDigest: hex.EncodeToString(program[:]),
		AnnotationInstructions:  strconv.Itoa(len(f.Program)),
		AnnotationCompiler:      f.Compiler,
		AnnotationVerified:      strconv.FormatBool(f.Verified),
	}
	for _, s := range f.Statistics {
		for name, n := range map[string]int{"cached": s.Cached, "constant": s.Constant, "dynamic": s.Dynamic, "total": s.Total} {
			a[fmt.Sprintf("%scache.%s.%s", AnnotationPrefix, s.Arch, name)] = strconv.Itoa(n)
		}
	}
	return a
}
