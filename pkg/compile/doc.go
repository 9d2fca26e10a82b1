// Package compile turns a Policy into a classic BPF program that returns the
// policy's verdict for every call: the smallest and shallowest program it can
// find, in well under a millisecond, and always the same one.
//
// A policy goes through four forms. Its verdicts become functions of the
// arguments (diagrams), of which equal ones are one, so that conditions which
// leave nothing to decide become constants that the kernel can cache. Functions
// and ranges of numbers become trees of tests (search), the best ones by a cost
// model that counts executed instructions by how often calls are made, and the
// instructions that there are (balance). The trees are a graph of steps (code)
// that share whatever ends in the same way, within a call, among calls, and
// among architectures. Passes (passes) clean the graph up, and layout makes a
// program of it.
//
// docs/compiler.md tells the whole story, with the program of Example.
package compile
