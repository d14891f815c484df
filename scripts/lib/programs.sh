# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The real programs that run under epemu: brush from crates.io, and those
# that tests/programs prepares. All are kept in the cache. Preparing takes
# minutes the first time, so it goes on beside the builds. Sourced after
# rust.sh.

programs_pid=
programs_since=0

prepare_brush() {
	brush_is_built && return 0
	if ! rust_is_new_enough; then
		echo "no Rust of $RUST_MINIMUM or newer: ${rust_problem:-?}"
		return 1
	fi
	echo "building brush $BRUSH_VERSION, which takes some minutes"
	brush_build
}

prepare_programs() {
	local status=0
	if suite_is_wanted integration; then
		prepare_brush || status=1
		"$EPEMU_ROOT/tests/programs/prepare" || status=1
	fi
	# Those that the virtual machines run.
	if suite_is_wanted vm; then
		"$EPEMU_ROOT/tests/programs/prepare" musl musl_arm64 || status=1
	fi
	return "$status"
}

# Packages for everything that the chosen builds and suites run.
install_for_tests() {
	local lists=("$EPEMU_ROOT/scripts/lib/packages-build.txt"
		"$EPEMU_ROOT/scripts/lib/packages-test.txt")
	if programs_are_wanted; then
		lists+=("$EPEMU_ROOT/tests/programs/packages.txt")
	fi
	mapfile -t packages < <(packages_of "${lists[@]}")
	need_packages "${packages[@]}"
	if programs_are_wanted && ! need_rust; then
		warn "$rust_problem: tests with programs written in Rust cannot run"
	fi
}

suite_is_wanted() {
	local build
	for build in "${builds[@]}"; do
		case " $(chosen_suites "$build" | tr '\n' ' ')" in
		*" $1 "*) return 0 ;;
		esac
	done
	return 1
}

programs_are_wanted() {
	suite_is_wanted integration || suite_is_wanted vm
}

start_programs() {
	programs_are_wanted || return 0
	programs_since=$SECONDS
	say "-- preparing the programs to run under epemu, beside the builds"
	begin programs prepare_programs
	programs_pid=$step_pid
}

# A program that could not be had is missed by its own test.
await_programs() {
	[ -n "$programs_pid" ] || return 0
	say "-- waiting for the programs"
	if ! await programs "$programs_pid" "$programs_since"; then
		warn "not all programs could be prepared:"
		tail -n 15 "$(log_of programs)" | sed 's/^/   | /'
		if crates_unreachable "$(log_of programs)"; then
			warn "crates.io cannot be reached"
		fi
	fi
	programs_pid=
}
