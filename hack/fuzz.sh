#!/usr/bin/env bash
# Runs every fuzz target of the module for a time; those that compare with the
# running kernel only as root.
#
# usage: hack/fuzz.sh [TIME]      default: 10s
set -euo pipefail

cd "$(dirname "$0")/.."
time=${1-10s}

where=(cmd pkg)
if [ "$(id --user)" -eq 0 ]; then
	where+=(test)
fi

found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "fuzz $(dirname "$file") $target"
	go test -tags integration "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
done < <(grep --recursive --only-matching --include='*_test.go' --perl-regexp '^func \KFuzz\w+' "${where[@]}" | sort)
if [ "$found" -eq 0 ]; then
	echo "$0: no fuzz target" >&2
	exit 1
fi
