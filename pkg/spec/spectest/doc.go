// Package spectest makes random profiles, for tests of what is made of them:
// small ones with few calls and few constants, so that rules meet, overlap,
// repeat and contradict one another, and calls that are likely to tell the
// rules apart.
package spectest
