// Package filter runs a profile through the whole pipeline once, profile →
// policy → program → proof → tables, and keeps the result: a Filter.
//
// Making a Filter takes milliseconds, most of it the proof; reading one takes
// microseconds. The Store keeps them in a directory of root's on a tmpfs, so
// that the second container with the same profile, and every exec, starts from
// the stored program. A Filter enters the Store only with its proof, and is
// used only if its bytes are the ones that were written, by root, under the
// key that names everything which went into it. Whatever is wrong with the
// Store, a damaged entry, a full disk, costs the time of a compilation and
// never the filter.
package filter
