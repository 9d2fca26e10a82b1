#!/usr/bin/env bash
# Runs the linters over the Go code of every build tag and over the scripts.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
for module in . cmd/shim test/kubernetes; do
	(cd "$module" && "$root/bin/tools/golangci-lint" run ./...)
done
shellcheck hack/*.sh hack/deploy/*.sh .ci/run
