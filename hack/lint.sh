#!/usr/bin/env bash
# Runs the linters over the Go code of every build tag, over the C code, and over
# the scripts.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
for module in . cmd/shim hack/image test/bench test/kubernetes; do
	(cd "$module" && "$root/bin/tools/golangci-lint" run ./...)
done

# The front as it is built, with more warnings, which are errors there; and with
# the faults of the tests. Debian's cross compiler is for the other architecture.
warnings=(
	-fanalyzer
	-Wconversion -Wsign-conversion -Wshadow -Wundef
	-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference
	-Wstrict-prototypes -Wold-style-definition -Wredundant-decls -Wunused-macros
	-Wpointer-arith -Wvla -Wstack-usage=65536
)
front=$(mktemp)
trap 'rm -f "$front"' EXIT
for arch in amd64 arm64; do
	for faults in -UFAULTS -DFAULTS; do
		GOARCH=$arch hack/build-front.sh "$front" "$faults" "${warnings[@]}"
		[ ! -L "$front" ] # a link stands for a compiler that is missing
	done
done

shellcheck hack/*.sh hack/deploy/*.sh findings/*.sh .ci/run
