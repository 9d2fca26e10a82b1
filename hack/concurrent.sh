#!/usr/bin/env bash
# Prints the packages that the race detector is worth its time for: those that
# start goroutines or synchronise them, in the code or in its tests. cmd/shim is
# a module of its own.
set -euo pipefail

cd "$(dirname "$0")/.."
{
	grep --recursive --files-with-matches --include='*.go' --perl-regexp '^\s*go (func\b|[\w.]+\()' cmd pkg
	grep --recursive --files-with-matches --include='*.go' --extended-regexp '^\s*(import )?"sync(/atomic)?"$' cmd pkg
} | xargs --no-run-if-empty dirname | sort --unique | grep --invert-match --line-regexp cmd/shim | sed 's,^,./,'
