# shellcheck shell=bash disable=SC2154
# apt for another suite and architecture than the host's, by a state of its own:
# what is installed here, and which architectures the host knows, do not matter and
# do not change. To be sourced; the caller sets arch, and store to a folder that is
# that architecture's. With type=deb-src it is about sources.

# apt SUITE COMMAND...: apt-get or apt-cache for a suite and the machine's
# architecture, as if nothing were installed.
apt() {
	local state=$store/$1 command=$2
	shift 2
	"$command" -q -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Sandbox::User=root \
		-o Dir::State="$state" -o Dir::State::status=/dev/null -o Dir::Cache="$state/cache" \
		-o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::Retries=3 "$@"
}

# lists SUITE: what apt knows of a suite, at the mirror that the host uses.
lists() {
	local state=$store/$1 mirror
	[ ! -e "$state/updated" ] || return 0
	mkdir -p "$state"/{lists,cache/archives}/partial
	# shellcheck disable=SC2016 # apt fills the name in
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep --max-count 1 '/debian/$' || true)
	echo "${type:-deb} [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $1 main" >"$state/sources.list"
	apt "$1" apt-get update
	touch "$state/updated"
}
