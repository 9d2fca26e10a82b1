#!/usr/bin/env bash
# Runs the linters over the Go code of every build tag and over the scripts.
set -euo pipefail

cd "$(dirname "$0")/.."
bin/tools/golangci-lint run ./...
shellcheck hack/*.sh .ci/run
