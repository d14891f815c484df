# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Which builds there are, how each is configured, and which test suites run
# in it. The gcc build runs everything; the others run what can turn out
# differently there. Sourced after build.sh, aarch64.sh and programs.sh.

ALL_BUILDS=(gcc clang sanitize aarch64)
ALL_SUITES=(lint unit fuzz qemu launcher trace conformance faults integration stress hostile differential delays kernels vm bench count)

is_one_of() {
	local word=$1 other
	shift
	for other in "$@"; do
		[ "$word" = "$other" ] && return 0
	done
	return 1
}

suites_of() {
	case $1 in
	gcc) echo lint unit launcher trace conformance faults integration stress hostile differential delays kernels vm bench count ;;
	clang) echo unit fuzz launcher conformance ;;
	# What goes wrong in the supervisor's memory shows here. The launcher and
	# stress programs would be sanitized too, and some crash on purpose.
	sanitize) echo unit trace conformance integration hostile ;;
	# Under qemu-user, which has no seccomp: the engine, and the kit natively.
	# The whole of it runs in virtual machines.
	aarch64) echo unit qemu vm ;;
	esac
}

list_matrix() {
	local build
	for build in "${ALL_BUILDS[@]}"; do
		printf '%-10s %s\n' "$build" "$(suites_of "$build")"
	done
}

differential_seconds() {
	if [ -n "${EPEMU_CI-}" ]; then echo 300; else echo 60; fi
}

configure_and_compile_build() {
	local cross=()
	case $1 in
	gcc)
		configure_and_compile gcc gcc -Dwerror=true \
			-Dbuildtype=release -Db_ndebug=false \
			-Ddifferential_seconds="$(differential_seconds)"
		;;
	clang)
		configure_and_compile clang clang -Dwerror=true
		;;
	sanitize)
		configure_and_compile sanitize clang -Dwerror=true \
			-Db_sanitize=address,undefined -Db_lundef=false
		;;
	aarch64)
		aarch64_sysroot || return 1
		mapfile -t cross < <(aarch64_cross_files)
		CC_FOR_BUILD=gcc configure_and_compile aarch64 - \
			-Dwerror=true "${cross[@]}"
		;;
	esac
}

# one_case NAME TITLE GOOD [TEXT]: leaves a result of one case.
one_case() {
	{
		echo 1..1
		if [ "$3" -eq 0 ]; then
			echo "ok 1 - $2"
		else
			echo "not ok 1 - $2"
			printf '%s\n' "${4-}" | sed 's/^/# /'
		fi
	} >"$results/$1.tap"
}

# Suites of the build that --only left over.
chosen_suites() {
	local suite
	for suite in $(suites_of "$1"); do
		if [ "${#suites[@]}" -eq 0 ] || is_one_of "$suite" "${suites[@]}"
		then
			echo "$suite"
		fi
	done
}

run_build() {
	local build=$1 status chosen
	headline "build: $build"
	step "compile-$build" configure_and_compile_build "$build"
	status=$?
	one_case "$build-compiles" "the $build build compiles without a warning" "$status" \
		"$(tail -n 15 "$(log_of "compile-$build")")"
	[ "$status" -eq 0 ] || return
	mapfile -t chosen < <(chosen_suites "$build")
	[ "${#chosen[@]}" -gt 0 ] || return
	if is_one_of integration "${chosen[@]}" ||
		is_one_of vm "${chosen[@]}"; then
		await_programs
	fi
	run_suites "$build" "${chosen[@]}"
}

# A suite that has lost its tests must not pass.
check_suites_exist() {
	local build=$1 known missing=() suite
	shift
	known=$(meson introspect --tests "$(build_dir "$build")" |
		python3 -c 'import json, sys
for test in json.load(sys.stdin):
    for suite in test["suite"]:
        print(suite.split(":")[-1])')
	for suite in "$@"; do
		grep -qx "$suite" <<<"$known" || missing+=("$suite")
	done
	[ "${#missing[@]}" -eq 0 ]
	one_case "$build-suites" "each suite of the $build build has tests" $? \
		"no test in: ${missing[*]-}"
}

# Sanitizers write to files, since the supervisor has no stderr of its own. Of
# freed memory little is kept back, so that growth can still be measured.
sanitizer_settings() {
	local reports=$1
	export ASAN_OPTIONS=log_path=$reports/asan:quarantine_size_mb=1
	export UBSAN_OPTIONS=log_path=$reports/ubsan:print_stacktrace=1
}

run_suites() {
	local build=$1 directory reports multiplier=1 words=() suite
	directory=$(build_dir "$build")
	shift
	check_suites_exist "$build" "$@"
	for suite in "$@"; do
		words+=(--suite "$suite")
	done
	rm -f "$directory/meson-logs/testlog.json"
	# Programs under other users write there as well.
	reports=$(mktemp -d) && chmod 1777 "$reports"
	say "-- tests: $*"
	set -m
	(
		trap - EXIT
		if [ "$build" = sanitize ]; then
			sanitizer_settings "$reports"
			multiplier=3
		fi
		[ "$build" = aarch64 ] && multiplier=5
		exec python3 "$EPEMU_ROOT/scripts/lib/children.py" \
			"$results/$build-processes.tap" "the $build run" \
			meson test -C "$directory" --no-rebuild "${words[@]}" \
			--timeout-multiplier "$multiplier" </dev/null
	) &
	set +m
	wait_for_suites $!
	if [ -s "$directory/meson-logs/testlog.json" ]; then
		cp "$directory/meson-logs/testlog.json" "$results/$build.json"
	else
		one_case "$build" "the $build tests ran" 1 "meson left no result"
	fi
	if [ "$build" = sanitize ]; then
		check_reports "$reports"
	fi
	rm -rf "$reports"
}

# Their failures are seen in the results.
wait_for_suites() {
	running_pids+=("$1")
	wait "$1"
	forget_step "$1"
}

check_reports() {
	local found
	found=$(find "$1" -type f -size +0 -print)
	[ -z "$found" ]
	one_case sanitizer "the sanitizers found nothing" $? \
		"$(for file in $found; do head -n 40 "$file"; done)"
}

tree_status() {
	have git && git -c safe.directory='*' status --porcelain 2>/dev/null
}

# Outside git there is nothing to compare with, and no case.
check_tree() {
	have git && git -c safe.directory='*' rev-parse 2>/dev/null || return 0
	[ "$(tree_status)" = "$1" ]
	one_case tree "the run leaves no file in the tree" $? \
		"$(diff <(printf '%s\n' "$1") <(tree_status))"
}
