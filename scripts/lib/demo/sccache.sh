#!/bin/sh
# SPDX-License-Identifier: MIT
# A compiler cache: a tokio server, asked twice for the same object file. The
# server runs in the foreground: a client that starts one in the background
# may wait for it in vain, on a bare kernel too.

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
SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 sccache >log 2>&1 &
server=$!
until python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' \
	"$port" 2>refused; do
	kill -0 "$server" || { cat log; exit 1; }
	sleep 0.1
done
for turn in first second; do
	sccache gcc -c answer.c -o "$turn.o" || exit
	echo "$turn compilation done"
done
sccache --show-stats | sed -n 's/^\(Cache hits\|Cache misses\)  *\([0-9]\)/\1: \2/p'
sccache --stop-server >/dev/null
wait "$server"
cmp first.o second.o && echo "the two objects are the same"
