//go:build linux && !amd64

package watch

var hostABI *abi

var compatMember []string

const x32Function = ""
