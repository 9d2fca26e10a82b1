// Package record makes a profile of the calls that a container was seen to make:
// one that allows them and nothing else, or a base profile with what it lacks.
// Where a profile looks at the arguments of a call, so does the recorded one.
// What comes out is compiled, proved, and asked for every recorded call.
package record
