#!/bin/sh
# SPDX-License-Identifier: MIT
# A compiler cache: a tokio server, asked twice for the same object file.

place=$(mktemp -d) || exit
trap 'rm -rf "$place"' EXIT
port=$(python3 -c 'import socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    print(free.getsockname()[1])') || exit
export SCCACHE_DIR="$place/cache" SCCACHE_SERVER_PORT="$port"
export SCCACHE_IDLE_TIMEOUT=60 SCCACHE_CONF="$place/none"

cd "$place" || exit
echo 'int answer(void) { return 42; }' >answer.c
sccache --start-server >log 2>&1 || { cat log; exit 1; }
for turn in first second; do
	sccache gcc -c answer.c -o "$turn.o" || exit
	echo "$turn compilation done"
done
sccache --show-stats | sed -n 's/^\(Cache hits\|Cache misses\)  *\([0-9]\)/\1: \2/p'
sccache --stop-server >/dev/null
cmp first.o second.o && echo "the two objects are the same"
