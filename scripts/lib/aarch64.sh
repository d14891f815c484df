# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a build for aarch64 needs beyond the cross compiler: Debian's arm64
# packages of our libraries, unpacked into a folder of the cache. Sourced
# after apt.sh.

AARCH64_PACKAGES='libseccomp-dev libunwind-dev libjson-c-dev libdw-dev libiberty-dev check'
AARCH64_SYSROOT=$EPEMU_CACHE/sysroot-aarch64

# The package lists of apt go once the packages are unpacked.
aarch64_sysroot() {
	local state=$AARCH64_SYSROOT.apt deb
	[ "$(cat "$AARCH64_SYSROOT/packages" 2>/dev/null)" = \
		"$AARCH64_PACKAGES" ] && return 0
	rm -rf "$AARCH64_SYSROOT"
	mkdir -p "$AARCH64_SYSROOT"
	apt_apart_new "$state"
	retry 3 apt_apart "$state" arm64 apt-get update || return 1
	# shellcheck disable=SC2086 # a list of words
	apt_apart_download "$state" arm64 $AARCH64_PACKAGES || return 1
	for deb in "$state"/archives/*.deb; do
		# The cross compiler has its own, with other paths in libc.so.
		case $deb in */libc6-dev_*) continue ;; esac
		dpkg-deb -x "$deb" "$AARCH64_SYSROOT" || return 1
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
