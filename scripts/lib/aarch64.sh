# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a build for aarch64 needs beyond the cross compiler: Debian's arm64
# packages of our libraries, unpacked into a folder of the cache. The
# machine's own package state and architectures are left alone; apt runs
# with a state of its own. Sourced after packages.sh.

AARCH64_PACKAGES='libseccomp-dev libunwind-dev libjson-c-dev libdw-dev libiberty-dev check'
AARCH64_SYSROOT=$EPEMU_CACHE/sysroot-aarch64

aarch64_apt() {
	local state=$AARCH64_SYSROOT.apt
	apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o APT::Sandbox::User= -o Debug::NoLocking=1 \
		-o Acquire::Retries=3 -o Acquire::Languages=none \
		-o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state" "$@"
}

# The package lists of apt go once the packages are unpacked.
aarch64_sysroot() {
	local state=$AARCH64_SYSROOT.apt package
	[ "$(cat "$AARCH64_SYSROOT/packages" 2>/dev/null)" = \
		"$AARCH64_PACKAGES" ] && return 0
	rm -rf "$AARCH64_SYSROOT" "$state"
	mkdir -p "$AARCH64_SYSROOT" "$state/lists/partial" \
		"$state/archives/partial"
	: >"$state/status"
	retry 3 aarch64_apt update || return 1
	# shellcheck disable=SC2086 # a list of words
	retry 3 aarch64_apt install --download-only --no-install-recommends \
		-y $AARCH64_PACKAGES || return 1
	for package in "$state"/archives/*.deb; do
		# The cross compiler has its own, with other paths in libc.so.
		case $package in */libc6-dev_*) continue ;; esac
		dpkg-deb -x "$package" "$AARCH64_SYSROOT" || return 1
	done
	rm -rf "$state"
	printf '%s\n' "$AARCH64_PACKAGES" >"$AARCH64_SYSROOT/packages"
}

# cross/aarch64.ini takes the place of the libraries from this file.
aarch64_cross_files() {
	local places=$AARCH64_SYSROOT/places.ini
	printf "[constants]\nsysroot = '%s'\n" "$AARCH64_SYSROOT" >"$places"
	printf '%s\n' --cross-file "$places" \
		--cross-file "$EPEMU_ROOT/cross/aarch64.ini"
}
