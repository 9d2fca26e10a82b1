// Package decompile turns filters back into profiles: a program that somebody
// compiled, a policy, or several of them together (verify.Stack, verify.Union).
// It asks the proof's diagrams what each call of each architecture gets, words
// that in the rules that OCI has, with as few of them as it finds, and reads the
// result back as pkg/spec reads any profile. Only what is proved equal then is
// called so. What OCI cannot say is named call by call; where the caller wants a
// profile all the same, it is one that allows no more.
package decompile
