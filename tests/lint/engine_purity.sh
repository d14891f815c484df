#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Usage: engine_purity.sh ARCHIVE SYMBOL [FOREIGN]
# The engine is to be lifted into kernels, so its archive may need nothing
# from outside but what a freestanding compiler itself asks for. SYMBOL is one
# that the archive must define, so that an empty or unreadable one fails.
# Sanitizer and coverage hooks are the build's, not the engine's. With FOREIGN,
# the archive must need that and nothing else: a check of this check.
set -eu

allowed='^(memcpy|memmove|memset|memcmp|__stack_chk_(fail|guard))$'
hooks='^(_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|msan|sanitizer|odr_asan|gcov|llvm)_.*)$'

lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

${NM:-nm} -P "$1" >"$lists/all"
awk 'NF >= 2 && $2 !~ /^[Uwv]$/ { print $1 }' "$lists/all" |
	sort -u >"$lists/defined"
awk 'NF >= 2 && $2 ~ /^[Uwv]$/ { print $1 }' "$lists/all" |
	sort -u >"$lists/needed"

if ! grep -qx "$2" "$lists/defined"; then
	echo "$1 does not define $2: is it the right archive?" >&2
	exit 1
fi
comm -13 "$lists/defined" "$lists/needed" |
	{ grep -Ev "$hooks|$allowed" || true; } >"$lists/foreign"
if [ "$(cat "$lists/foreign")" != "${3-}" ]; then
	echo "$1 needs from outside (expected: ${3-nothing}):" >&2
	cat "$lists/foreign" >&2
	exit 1
fi
echo "$1 needs ${3-nothing} from outside"
