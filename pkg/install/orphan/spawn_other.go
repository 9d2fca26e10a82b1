//go:build linux && !amd64

package orphan

var spawner []byte
