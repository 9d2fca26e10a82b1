// Package kubernetes holds the tests of what Kubernetes meets: the shim behind
// containerd's CRI, spoken to as the kubelet does, the deployment files, and the
// Debian package.
package kubernetes
