// Package printable shows text that others wrote: names, paths, annotations and
// profiles may hold escape sequences, which would reach the terminal or the log
// of whoever reads an error.
package printable
