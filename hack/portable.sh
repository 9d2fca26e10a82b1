#!/usr/bin/env bash
# Compiles, tests included, for other systems and architectures: the packages
# that make no system calls for every kind of machine, all of it for the other
# architectures of Linux.
set -euo pipefail

cd "$(dirname "$0")/.."
pure=(./pkg/arch/... ./pkg/bpf/... ./pkg/compile/... ./pkg/precompute/... ./pkg/spec/... ./pkg/verify/...)

# 64 and 32 bits, either byte order.
for platform in darwin/arm64 windows/amd64 freebsd/amd64 linux/386 linux/s390x linux/mips; do
	echo "vet $platform: what makes no system calls"
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 go vet "${pure[@]}"
done
echo "vet linux/arm64: everything"
GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go vet ./...
for arch in arm64 s390x; do
	echo "vet linux/$arch: what runs in machines of it"
	GOOS=linux GOARCH=$arch CGO_ENABLED=0 go vet -tags integration ./test/integration
done
