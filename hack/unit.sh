#!/usr/bin/env bash
# Runs the unit tests: all packages once, and those that synchronise goroutines
# once more under the race detector, where there is a C compiler for it.
#
# usage: hack/unit.sh [COMMAND...]      COMMAND stands in for `go test`
set -euo pipefail

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- go test

"$@" ./...

if ! command -v "$(go env CC)" >/dev/null; then
	echo "no C compiler: the race detector's part is left out"
	exit 0
fi
# Who starts a goroutine waits for it or shares something with it, by sync or by
# a channel in a select; the imports tell the first, the text the rest.
mapfile -t concurrent < <(
	{
		go list -f '{{range .Imports}}{{if or (eq . "sync") (eq . "sync/atomic")}}{{$.Dir}}{{"\n"}}{{end}}{{end}}' ./...
		grep --recursive --files-with-matches --include='*.go' --extended-regexp '^\s*go (func|[a-z]\w*\()' cmd pkg | xargs --no-run-if-empty dirname | xargs --no-run-if-empty realpath
	} | sort --unique
)
if [ ${#concurrent[@]} -gt 0 ]; then
	CGO_ENABLED=1 "$@" -race "${concurrent[@]}"
fi
