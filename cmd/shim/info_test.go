//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestHostAnnotations(t *testing.T) {
	a := hostAnnotations()
	if !strings.Contains(a[annotationActions], "SCMP_ACT_ERRNO") || !strings.Contains(a[annotationFlags], "SECCOMP_FILTER_FLAG_TSYNC") {
		t.Error(a)
	}
	for _, name := range []string{annotationVersion, annotationCache, annotationModes} {
		if a[name] == "" {
			t.Errorf("no %s: %v", name, a)
		}
	}
}
