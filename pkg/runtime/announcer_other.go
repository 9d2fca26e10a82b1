//go:build !amd64

package runtime

var announcer []byte
