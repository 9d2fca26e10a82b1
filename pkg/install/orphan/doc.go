// Package orphan starts a process that is no child of its starter: a
// grandchild whose parent has ended, so that it belongs to the nearest
// subreaper or to the system's init. What goes on to be a runtime must not
// have children that the runtime does not know of: crun waits for all of its
// children.
package orphan
