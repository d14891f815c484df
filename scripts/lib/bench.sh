# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What scripts/bench measures with: epemu and the small programs of bench/ in
# build-bench, the servers of Debian, and the programs that cargo and go make
# of pinned sources. Sourced after rust.sh and build.sh.

BENCH_COLUMNS=(native floor epemu epemu-trace strace-bpf strace)

join_by() {
	local IFS=$1
	shift
	printf '%s' "$*"
}

bench_build() {
	local packages
	mapfile -t packages < <(packages_of \
		"$EPEMU_ROOT/scripts/lib/packages-build.txt")
	need_packages "${packages[@]}"
	# shellcheck disable=SC2034 # compile() has it
	build_target=bench
	step build-bench configure_and_compile bench gcc \
		-Dbuildtype=release -Db_ndebug=false
}

bench_run() {
	"$EPEMU_ROOT/bench/run" --epemu "$(built_epemu bench)" \
		--build "$(build_dir bench)" --cache "$EPEMU_CACHE/bin" "$@"
}

# Rows without whole programs need strace only.
bench_prepare() {
	local packages
	need_packages strace
	bench_run --list --only "$1" | grep -q 'whole programs' || return 0
	mapfile -t packages < <(packages_of \
		"$EPEMU_ROOT/scripts/lib/packages-bench.txt")
	need_packages "${packages[@]}"
	if need_rust; then
		step bench-rust bench_rust_programs
	else
		warn "$rust_problem"
	fi
	step bench-go bench_go_program
	# A program that could not be had is missed by its own row.
	return 0
}

# Put in place in one step: the old one may be running.
bench_install() {
	cp "$1" "$EPEMU_CACHE/bin/$2.new" &&
		mv "$EPEMU_CACHE/bin/$2.new" "$EPEMU_CACHE/bin/$2"
}

# Of the same versions as tests/tokio, and built beside it.
bench_rust_programs() {
	local target=$EPEMU_CACHE/tokio status=0
	{
		cargo build --release --locked \
			--manifest-path "$EPEMU_ROOT/bench/tokio/Cargo.toml" \
			--target-dir "$target" &&
			bench_install "$target/release/epemu-bench-tokio" \
				epemu-bench-tokio
	} || status=1
	brush_is_built || brush_build || status=1
	return "$status"
}

bench_go_program() {
	mkdir -p "$EPEMU_CACHE/go" || return
	(cd "$EPEMU_ROOT/bench/go" && GOTOOLCHAIN=local CGO_ENABLED=0 \
		GOFLAGS='' GOCACHE=$EPEMU_CACHE/go/cache \
		go build -trimpath -o "$EPEMU_CACHE/go/epemu-bench-go" .) &&
		bench_install "$EPEMU_CACHE/go/epemu-bench-go" epemu-bench-go
}
