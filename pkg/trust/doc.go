// Package trust says whether a file is what the administrator put there: whether
// anybody else could have written it, or put another one in its place. What a
// container's filter depends on is read only then.
package trust
