// Package verify decides, for all 2^512 inputs, whether a program and a
// policy, two programs, or two policies give every system call the same return
// value. The answer is a proof, or a call that shows the difference, or
// "undecided" where a fixed budget of work did not do; it is never a guess.
//
// # Method
//
// A set of calls is a reduced ordered binary decision diagram over the 512
// bits of struct seccomp_data: a graph whose nodes test one bit each, in a
// fixed order, with equal parts shared. It has one form for one set, so two
// sets are equal exactly if they are the same node.
//
// A program is executed once, with all calls at a time. Jumps go forwards
// only, so that one pass over the instructions is enough: a conditional jump
// divides the set of calls that reach it, a RET collects them under its value.
// A register is a vector of 32 sets, the calls for which each of its bits is
// set, and arithmetic is done on these as a circuit does it. So nothing that a
// program can compute is out of reach, only, at times, too large.
//
// A policy becomes sets rule by rule, as its definition says.
//
// Both sides are then a division of all calls among return values. They are
// equal if each value has the same set on both; otherwise a call of the
// difference is evaluated on both sides, by bpf.Program.Run and
// spec.Policy.Evaluate, before it is reported.
//
// # Trust
//
// Nothing is shared with the compiler but the types of programs and policies.
// What is trusted, what the limits are, and how this is tested is in
// docs/verify.md.
package verify
