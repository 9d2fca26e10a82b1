package runtime

// Runtime returns the path of the real runtime that is used with this
// configuration, where PATH is path and this executable is self.
func (c Config) Runtime(path, self string) (string, error) {
	return findRuntime(c.RealRuntime, path, self)
}
