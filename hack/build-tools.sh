#!/usr/bin/env bash
# Builds what the tests run: the tools of hack/tools, each in a module of its
# own so that none moves the dependencies of another or of the product. The
# binaries go to bin/tools, those of a second version of a tool, runc's test
# helpers and the OCI's programs to a folder below. A module whose files, builder and compiler are the
# ones of its last build is left alone.
#
# usage: hack/build-tools.sh [MODULE...]      default: all
set -euo pipefail

cd "$(dirname "$0")/tools"
out=$(realpath -m ../../bin/tools)
mkdir -p "$out"

# One build at a time: two would write the same files.
exec 9>"$out/.lock"
flock 9

# place MODULE PACKAGE: the folder that the package's binary goes to.
place() {
	case "$1 $2" in
	*/tests/cmd/*) echo "$out/runc-tests" ;;
	containerd-2.1\ *) echo "$out/containerd-2.1" ;;
	runtime-tools\ *) echo "$out/runtime-tools" ;;
	*) echo "$out" ;;
	esac
}

[ $# -gt 0 ] || set -- */
for module in "$@"; do
	module=${module%/}
	stamp=$({
		go version
		cat ../build-tools.sh "$module/go.mod" "$module/go.sum"
	} | sha256sum)
	if [ "$(cat "$out/.$module" 2>/dev/null)" = "$stamp" ]; then
		continue
	fi
	(
		cd "$module"
		# runc needs cgo (nsenter, libseccomp); with cgo the rest merely builds as well, but for
		# what runs in a container that has no libraries.
		cgo=1
		[ "$module" != runtime-tools ] || cgo=0
		for package in $(go list tool); do
			echo "build $package $(go list -f '{{.Module.Version}}' "$package")"
			CGO_ENABLED=$cgo go build -trimpath -buildvcs=false -ldflags '-s -w' -tags seccomp -o "$(place "$module" "$package")/" "$package"
		done
	)
	echo "$stamp" >"$out/.$module"
done
