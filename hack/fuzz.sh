#!/usr/bin/env bash
# Runs every fuzz target of the module for a time.
#
# usage: hack/fuzz.sh [TIME]      default: 10s
set -euo pipefail

cd "$(dirname "$0")/.."
time=${1-10s}

found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "fuzz $(dirname "$file") $target"
	go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
done < <(grep --recursive --only-matching --include='*_test.go' --perl-regexp '^func \KFuzz\w+' cmd pkg | sort)
if [ "$found" -eq 0 ]; then
	echo "$0: no fuzz target" >&2
	exit 1
fi
