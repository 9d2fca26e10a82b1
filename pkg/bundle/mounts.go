package bundle

// source is the source of an element of mounts.
type source struct {
	path string
	at   span
}

// sources reads mounts. An element without a source, or one that is no such object,
// is the runtime's to judge.
func (c *Config) sources() (list []source) {
	mounts, err := c.find(c.root, '[', "mounts")
	if err != nil || !mounts.present || mounts.null {
		return nil
	}
	s := scanner{text: c.text, pos: mounts.value.start}
	_ = s.array(0, func(at span) { // Parse has checked it
		if c.text[at.start] != '{' {
			return
		}
		o, err := c.object(at.start, nil)
		if err != nil {
			return
		}
		for _, m := range o.members {
			if m.name == "source" && c.text[m.value.start] == '"' {
				list = append(list, source{decode(c.text[m.value.start:m.value.end]), m.value})
			}
		}
	})
	return list
}

// MountSources returns the sources of mounts, in the order of the text.
func (c *Config) MountSources() []string {
	var paths []string
	for _, s := range c.sources() {
		paths = append(paths, s.path)
	}
	return paths
}
