// Package call measures what a system call costs behind filters: cached, and
// not cached through programs of growing length. docs/cache.md quotes it.
package call
