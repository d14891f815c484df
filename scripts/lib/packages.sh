# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Debian packages: installs those that are missing, and touches nothing when
# none is. Works as root or with sudo. Sourced after common.sh.

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

package_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = \
		installed ]
}

# packages_of FILE...: the names in package lists. A line is
#	PACKAGE [COMMAND]
# where COMMAND, if the machine already has it, makes the package needless.
packages_of() {
	local file package command
	for file in "$@"; do
		while read -r package command; do
			case $package in '' | '#'*) continue ;; esac
			case $command in '#'*) command= ;; esac
			[ -n "$command" ] && have "$command" && continue
			printf '%s\n' "$package"
		done <"$file"
	done | sort -u
}

# Packages of servers would start them; nobody asked for that here.
with_services_held() {
	local policy=/usr/sbin/policy-rc.d status
	if [ -e "$policy" ]; then
		"$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	"$@"
	status=$?
	as_root rm -f "$policy"
	return "$status"
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get \
		-o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
		-o Dpkg::Use-Pty=0 -y "$@"
}

lists_are_read=no
read_package_lists() {
	[ "$lists_are_read" = no ] || return 0
	step "reading the package lists" retry 3 apt_get update || return 1
	lists_are_read=yes
}

apt_install() {
	with_services_held retry 3 apt_get install --no-install-recommends \
		--no-remove "$@"
}

# True if this machine's package manager can be used at all.
packages_can_install() {
	have apt-get || return 1
	[ "$(id -u)" -eq 0 ] && return 0
	have sudo && sudo -v
}

# need_packages PACKAGE...: installs what is missing of them.
need_packages() {
	local package missing=()
	have dpkg-query || {
		warn "not a Debian machine: cannot tell whether these are" \
			"installed: $*"
		return 0
	}
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[ "${#missing[@]}" -eq 0 ] && return 0
	say "packages to install: ${missing[*]}"
	packages_can_install ||
		die "run as root or with sudo, or install: ${missing[*]}"
	read_package_lists ||
		die "the package lists cannot be had"
	step "installing packages" apt_install "${missing[@]}" ||
		die "these packages could not be installed: ${missing[*]}"
}
