// Package explain answers the questions that people have about policies: which
// rule gives a call its verdict (Why), and where two policies differ (Diff). It
// also reads and writes single calls as people do, "socket(40, 1)", and as the
// lines of `seccomp-hook eval`.
package explain
