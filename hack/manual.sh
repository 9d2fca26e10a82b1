#!/usr/bin/env bash
# manual.sh DIRECTORY: write the man pages and the shell completions, as they lie
# below /usr/share, from the command line's own description of itself.
set -euo pipefail

directory=$1
cd "$(dirname "$0")/.."
tool=$(mktemp)
trap 'rm -f "$tool"' EXIT
# The page's date: that of the sources, so that the same sources give the same
# bytes. The generator runs here, whatever is built for.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
GOOS='' GOARCH='' CGO_ENABLED=0 go build -buildvcs=false -tags manual -o "$tool" ./cmd/seccomp-hook

rm -rf "$directory"
mkdir -p "$directory"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$tool" manual "$directory/man/man1"
echo '.so man1/seccomp-hook-runtime.1' >"$directory/man/man1/seccomp-runc.1"
gzip --best --no-name "$directory"/man/man1/*.1
"$tool" completion bash >"$directory/bash-completion/completions/seccomp-hook"
"$tool" completion zsh >"$directory/zsh/vendor-completions/_seccomp-hook"
"$tool" completion fish >"$directory/fish/vendor_completions.d/seccomp-hook.fish"
