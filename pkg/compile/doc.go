// Package compile turns a Policy into a classic BPF program that returns the
// policy's verdict for every call.
package compile
