// Package deadline has the kernel end a process that does not come on. Others
// wait for the processes of a start: the runtime waits for its hook, which waits
// for the attendant, and a container's init waits for its tracer. If one of these
// is stopped (SIGSTOP), or hangs, it would hold up all of them for ever; if it
// dies, each of them notices, and what is attached is live.
//
// So such a process has a timer (timer_create(2)) whose signal is SIGKILL, which
// works on a stopped process as well. It is set for each piece of work, and set
// anew again and again while the process may wait as long as it likes.
package deadline
