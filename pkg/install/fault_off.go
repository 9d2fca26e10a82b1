//go:build linux && !faults

package install

// fault does nothing: only a build for tests, with the tag faults, can make an
// installer fail on purpose.
func fault(Step) {}
