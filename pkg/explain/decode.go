package explain

import (
	"strings"

	"seccomp-hook/pkg/bpf"
)

// Decode writes a call with its arguments, for people: "socket(0x28, 0x1)".
func Decode(call *bpf.Data) string {
	name := Name(call.Arch, call.Nr)
	if _, short, found := strings.Cut(name, ":"); found {
		name = short
	}
	return name + Arguments(call.Args)
}
