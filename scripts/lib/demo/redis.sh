#!/bin/sh
# SPDX-License-Identifier: MIT
# A redis server on a socket of its own, and redis-benchmark against it.

place=$(mktemp -d) || exit
trap 'rm -rf "$place"' EXIT
socket=$place/redis.sock

redis-server --port 0 --unixsocket "$socket" --dir "$place" --save '' \
	--appendonly no >"$place/log" 2>&1 &
server=$!
tries=0
until redis-cli -s "$socket" ping >"$place/ping" 2>&1; do
	tries=$((tries + 1))
	if [ "$tries" -ge 200 ] || ! kill -0 "$server"; then
		cat "$place/log"
		exit 1
	fi
	sleep 0.1
done
redis-benchmark -s "$socket" -n 2000 -c 20 -t set,get -q >"$place/numbers" &&
	echo "2000 SET and 2000 GET requests by 20 clients"
redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1
wait "$server"
echo "the server ended with status $?"
