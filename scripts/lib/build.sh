# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Build directories: build-NAME in the tree, set up with fixed options, made
# anew when the options changed or the directory is of no use any more.
# Sourced after common.sh.

build_dir() { printf '%s/build-%s' "$EPEMU_ROOT" "$1"; }

configured_with() {
	[ -f "$1/build.ninja" ] &&
		[ "$(cat "$1/epemu-options" 2>/dev/null)" = "$2" ]
}

# The C++ compiler that belongs to a C compiler. Named, since meson would put
# sccache before one that it finds itself, and that leaves a server running.
cxx_of() {
	case $1 in
	clang) echo clang++ ;;
	*) echo g++ ;;
	esac
}

# configure NAME COMPILER OPTION...: COMPILER "-" leaves it to meson.
configure() {
	local directory compiler=$2
	directory=$(build_dir "$1")
	shift 2
	configured_with "$directory" "$compiler $*" && return 0
	rm -rf "$directory"
	if [ "$compiler" = - ]; then
		meson setup "$directory" "$EPEMU_ROOT" "$@"
	else
		CC=$compiler CXX=$(cxx_of "$compiler") \
			meson setup "$directory" "$EPEMU_ROOT" "$@"
	fi || return 1
	printf '%s\n' "$compiler $*" >"$directory/epemu-options"
}

# build_target empty: everything.
build_target=
compile() {
	ninja -C "$(build_dir "$1")" ${build_target:+"$build_target"}
}

# A directory that another version of meson or a compiler that has since gone
# left behind fails in ways of its own: try once more from nothing.
configure_and_compile() {
	local directory fresh=no
	directory=$(build_dir "$1")
	configured_with "$directory" "$2 ${*:3}" || fresh=yes
	configure "$@" && compile "$1" && return 0
	[ "$fresh" = no ] || return 1
	echo "trying again from an empty $directory"
	rm -rf "$directory"
	configure "$@" && compile "$1"
}

# The executable of a build.
built_epemu() { printf '%s/launcher/epemu' "$(build_dir "$1")"; }
