# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What all scripts share: where things are, messages, long steps that show
# that they are alive, and retries. Sourced, not run.
#
# Nothing here writes outside the build directories of the tree (build-*,
# ignored by git) and the cache, so that deleting both brings back a fresh
# state.

set -u -o pipefail

EPEMU_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
EPEMU_CACHE=${EPEMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/epemu}
EPEMU_LOGS=${EPEMU_LOGS:-$EPEMU_ROOT/build-logs}
export EPEMU_ROOT EPEMU_CACHE EPEMU_LOGS
mkdir -p "$EPEMU_CACHE/bin" "$EPEMU_LOGS"

# A long step says something this often, in seconds.
PROGRESS_INTERVAL=15

running_pids=()

say() { printf '%s\n' "$*"; }
headline() { printf '\n== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Each background step leads a process group of its own: end them all.
end_running_steps() {
	local pid
	for pid in ${running_pids[@]+"${running_pids[@]}"}; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
}
trap 'end_running_steps; exit 130' INT
trap 'end_running_steps; exit 143' TERM HUP
trap end_running_steps EXIT

log_of() { printf '%s/%s.log' "$EPEMU_LOGS" "${1//[^A-Za-z0-9_.-]/-}"; }

# begin NAME COMMAND...: starts a step in the background; its output goes to
# the log of that name. Sets step_pid.
begin() {
	local log
	log=$(log_of "$1")
	shift
	# Job control gives the step a process group, so that all of it can be
	# ended, and leaves its SIGINT alone.
	set -m
	(trap - EXIT INT TERM HUP; "$@") >"$log" 2>&1 </dev/null &
	step_pid=$!
	set +m
	running_pids+=("$step_pid")
}

last_line_of() {
	tail -n 5 "$1" 2>/dev/null | tr '\r' '\n' |
		sed -n 's/^[[:space:]]*//; /./p' | tail -n 1 | cut -c1-60
}

# await NAME PID SINCE: waits for a step that begin() started; now and then
# says how far it is. Returns the step's status.
await() {
	local name=$1 pid=$2 since=$3 log ticker ended status
	log=$(log_of "$name")
	while :; do
		sleep "$PROGRESS_INTERVAL" &
		ticker=$!
		ended=
		wait -n -p ended "$pid" "$ticker"
		status=$?
		[ "$ended" = "$ticker" ] || break
		say "   ... $name: $((SECONDS - since)) s: $(last_line_of "$log")"
	done
	kill "$ticker" 2>/dev/null
	wait "$ticker" 2>/dev/null
	forget_step "$pid"
	return "$status"
}

forget_step() {
	local pid kept=()
	for pid in ${running_pids[@]+"${running_pids[@]}"}; do
		[ "$pid" = "$1" ] || kept+=("$pid")
	done
	running_pids=(${kept[@]+"${kept[@]}"})
}

# step NAME COMMAND...: begin and await in one, with the time it took, and the
# end of the log when it failed.
step() {
	local name=$1 since=$SECONDS status
	begin "$@"
	say "-- $name"
	await "$name" "$step_pid" "$since"
	status=$?
	if [ "$status" -ne 0 ]; then
		say "   $name failed (status $status), the end of its log:"
		tail -n 40 "$(log_of "$name")" | sed 's/^/   | /'
	elif [ $((SECONDS - since)) -ge 5 ]; then
		say "   done in $((SECONDS - since)) s"
	fi
	return "$status"
}

# retry TIMES COMMAND...: for what depends on a network.
retry() {
	local left=$1 pause=2
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		echo "failed, trying again in $pause s: $*"
		sleep "$pause"
		pause=$((pause * 3))
	done
}

# version_at_least HAVE WANT
version_at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
