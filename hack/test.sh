#!/usr/bin/env bash
# Runs everything that is tested, one step after another, and goes on after a
# failed one, so that a run tells all that is wrong. The last line counts.
#
# A test that is skipped, and whose name is not in hack/skips.txt with a reason,
# is a failure: nothing stops being tested without anyone noticing.
set -euo pipefail

cd "$(dirname "$0")/.."
results=$PWD/.build/results
rm -rf "$results"
mkdir -p "$results"

passed=0 failed=0 skipped=0
failures=()

title() { printf '\n=== %s\n' "$*"; }

fail() {
	failed=$((failed + 1))
	failures+=("$1")
}

# check NAME COMMAND...: a step that is one result.
check() {
	local name=$1
	shift
	title "$name"
	if "$@"; then
		passed=$((passed + 1))
	else
		fail "$name"
	fi
}

# tests NAME ARGUMENT...: a step of `go test`, each of whose tests is a result.
tests() {
	local name=$1 status=0
	shift
	title "$name"
	bin/tools/gotestsum --format pkgname --jsonfile "$results/$name.json" -- "$@" || status=$?
	count() { jq --slurp --raw-output "$1" "$results/$name.json"; }
	passed=$((passed + $(count '[.[] | select(.Test and .Action == "pass")] | length')))
	local names=() each
	mapfile -t names < <(count '.[] | select(.Test and .Action == "skip") | .Test')
	for each in "${names[@]}"; do
		if grep --quiet --fixed-strings --line-regexp -- "$each" <(sed 's/ # .*//' hack/skips.txt); then
			skipped=$((skipped + 1))
		else
			fail "$name: skipped without a reason in hack/skips.txt: $each"
		fi
	done
	mapfile -t names < <(count '.[] | select(.Test and .Action == "fail") | .Test')
	for each in "${names[@]}"; do
		fail "$name: $each"
	done
	# A package that does not build or a process that dies fails no test.
	if [ "$status" -ne 0 ] && [ ${#names[@]} -eq 0 ]; then
		fail "$name"
	fi
}

# module DIRECTORY: a module of its own, which ./... leaves out.
module() { (cd "$1" && go vet -tags integration ./... && CGO_ENABLED=1 go test -race ./...); }

check lint hack/lint.sh
check "generated files" hack/stale.sh
check portability hack/portable.sh
tests unit ./...
for directory in cmd/shim hack/image test/bench test/kubernetes; do
	check "module $directory" module "$directory"
done
mapfile -t concurrent < <(hack/concurrent.sh)
CGO_ENABLED=1 tests race -race -short -timeout 20m "${concurrent[@]}"
mapfile -t compared < <(grep --recursive --files-with-matches --include='*.go' '^//go:build.*libseccomp' cmd pkg test | xargs dirname | sort --unique | sed 's,^,./,')
CGO_ENABLED=1 tests libseccomp -tags libseccomp,integration -count 1 "${compared[@]}"
check demo hack/demo.sh
check "demo of containerd" hack/demo-containerd.sh
tests machine -tags integration,machine -timeout 30m -count 1 -run '^TestARM64$' ./test/machine
tests integration -tags integration -timeout 60m -count 1 ./test/...
check "Kubernetes and the Debian package" go -C test/kubernetes test -tags integration -timeout 10m -count 1 ./...

title result
if [ "$failed" -gt 0 ]; then
	printf 'failed: %s\n' "${failures[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
