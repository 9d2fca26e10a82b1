//go:build !linux

package trust

// Path finds nothing wrong: containers are made on Linux alone.
func Path(string) error { return nil }
