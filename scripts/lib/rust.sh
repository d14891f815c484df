# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A Rust new enough for the programs that epemu is shown and tested with, and
# the brush shell built by it. Sourced after packages.sh.
#
# Debian 12's own cargo (0.66, Rust 1.63) is too old; its security archive
# has cargo-web and rustc-web, which Debian keeps current for its browsers.

BRUSH_VERSION=0.4.0
RUST_MINIMUM=1.88

# Sets rust_problem to a line for the user where there is no such Rust.
rust_problem=

rust_is_new_enough() {
	local version
	version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
	# Debian's cargo 0.66 is the one of Rust 1.63.
	version_at_least "${version:-0}" "$RUST_MINIMUM" && rustc --version \
		>/dev/null 2>&1
}

rust_candidate() {
	apt-cache policy cargo-web 2>/dev/null |
		sed -n 's/^ *Candidate: *//p'
}

need_rust() {
	[ -d "$HOME/.cargo/bin" ] && PATH=$HOME/.cargo/bin:$PATH
	export PATH
	rust_is_new_enough && return 0
	if ! have apt-get; then
		rust_problem="no cargo of Rust $RUST_MINIMUM or newer here"
		return 1
	fi
	packages_can_install || {
		rust_problem="cargo-web has to be installed: run as root or with sudo"
		return 1
	}
	read_package_lists
	if ! version_at_least "$(rust_candidate)" "$RUST_MINIMUM"; then
		rust_problem="Debian offers no Rust $RUST_MINIMUM or newer here"
		return 1
	fi
	# cargo-web takes the place of Debian's older cargo, if that is there.
	if package_installed cargo && ! have rustup; then
		rust_problem="package cargo is too old, and cargo-web, which is \
new enough, would replace it: run 'apt-get install cargo-web', then try again"
		return 1
	fi
	step "installing Rust" apt_install cargo-web rustc-web || {
		rust_problem="cargo-web could not be installed"
		return 1
	}
	rust_is_new_enough && return 0
	rust_problem="the cargo in PATH is older than Rust $RUST_MINIMUM"
	return 1
}

brush_is_built() {
	"$EPEMU_CACHE/bin/brush" --version 2>/dev/null |
		grep -q "^brush $BRUSH_VERSION "
}

# The program's source and its locked dependencies are untouched; only the
# optimiser is held back, since it would take most of the time.
brush_build() {
	local target=$EPEMU_CACHE/build/brush
	env CARGO_PROFILE_RELEASE_LTO=off \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		CARGO_PROFILE_RELEASE_DEBUG=0 \
		CARGO_NET_RETRY=5 CARGO_TERM_PROGRESS_WHEN=never \
		nice -n 5 cargo install brush-shell \
		--version "=$BRUSH_VERSION" --locked --force \
		--root "$EPEMU_CACHE" --target-dir "$target" &&
		rm -rf "$target"
}

# crates_unreachable LOG: true if that is why cargo failed.
crates_unreachable() {
	grep -qiE 'could not resolve|failed to (connect|download|fetch)|network failure|spurious network|timed out|download of .* failed|unable to update' \
		"$1"
}
