#!/usr/bin/env bash
# Fails if a generated file differs from what its generator writes. The
# generators run in a copy, so the checkout may have changes of its own.
set -euo pipefail

cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	[ ! -e "$file" ] || printf '%s\0' "$file"
done | tar --create --null --files-from=- | tar --extract --one-top-level="$copy/was"
cp --archive "$copy/was" "$copy/is"

(cd "$copy/is" && go generate ./...)
if ! diff --recursive --unified --no-dereference "$copy/was" "$copy/is"; then
	echo "$0: generated files are stale: make generate" >&2
	exit 1
fi
