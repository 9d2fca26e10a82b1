// Module bench holds the benchmarks that compare with other projects, so that
// their modules stay out of the product's go.mod.
module seccomp-hook/test/bench

go 1.26.3

require (
	github.com/elastic/go-seccomp-bpf v1.6.0
	github.com/opencontainers/runtime-spec v1.3.0
	golang.org/x/net v0.58.0
	golang.org/x/sys v0.49.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
	seccomp-hook v0.0.0
)

require (
	github.com/seccomp/libseccomp-golang v0.11.1 // indirect
	golang.org/x/exp v0.0.0-20250711185948-6ae5c78190dc // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace seccomp-hook => ../..
