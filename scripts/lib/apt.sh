# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# apt with a state of its own, for packages that are only unpacked: those of
# another architecture, or of another Debian. The machine's own package state
# and architectures are left alone. Sourced after common.sh.

# apt_apart STATE ARCH COMMAND ARGUMENT...: apt-get or apt-cache for ARCH, with
# its state in the folder STATE. A sources.list there takes the place of the
# machine's own.
apt_apart() {
	local state=$1 arch=$2 command=$3 from=()
	shift 3
	[ -f "$state/sources.list" ] &&
		from=(-o Dir::Etc::sourcelist="$state/sources.list"
			-o Dir::Etc::sourceparts=/dev/null)
	"$command" -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o APT::Sandbox::User= -o Debug::NoLocking=1 \
		-o Acquire::Retries=3 -o Acquire::Languages=none \
		-o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" ${from[@]+"${from[@]}"} "$@"
}

# apt_apart_new STATE: an empty state, in which nothing is installed.
apt_apart_new() {
	rm -rf "$1"
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	: >"$1/status"
}

# apt_apart_download STATE ARCH PACKAGE...: the packages and all that they
# depend on, to STATE/archives.
apt_apart_download() {
	local state=$1 arch=$2
	shift 2
	retry 3 apt_apart "$state" "$arch" apt-get install --download-only \
		--no-install-recommends -y "$@"
}
