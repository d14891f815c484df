# SPDX-License-Identifier: MIT
# redis-server with its threads and a background save, and redis-benchmark.
# EPEMU_TEST_PORT is a free port; the working directory is ours.

cli="redis-cli -p $EPEMU_TEST_PORT"

redis-server --port "$EPEMU_TEST_PORT" --bind 127.0.0.1 --dir . --save '' \
	--unixsocket ./sock --io-threads 2 --io-threads-do-reads yes \
	--hz 50 >log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server"' EXIT

until $cli ping >ping 2>&1 && grep -q PONG ping; do
	if ! kill -0 "$server"; then
		cat log
		exit 1
	fi
	sleep 0.05
done

redis-benchmark -p "$EPEMU_TEST_PORT" -n 4000 -c 50 -P 4 -q \
	-t ping_inline,set,get,incr,lpush,rpop >numbers || exit
redis-benchmark -s ./sock -n 2000 -c 20 --threads 2 -q -t set,get \
	>>numbers || exit
echo "counter: $($cli get counter:__rand_int__)"
echo "list: $($cli llen mylist)"

# Subscribers, and a client that blocks until another one pushes.
$cli blpop queue 30 >popped &
blocked=$!
until $cli client list | grep -q cmd=blpop; do sleep 0.05; done
$cli rpush queue work >pushed
wait "$blocked"
echo "blpop: $(tr '\n' ' ' <popped)"

i=0
while [ "$i" -lt 1000 ]; do
	echo "SET key:$i $i"
	i=$((i + 1))
done | $cli --pipe | tail -n 1

$cli bgsave >saving
until $cli info persistence | grep -q rdb_bgsave_in_progress:0; do
	sleep 0.05
done
$cli info persistence | tr -d '\r' | grep rdb_last_bgsave_status
echo "keys: $($cli dbsize)"
$cli shutdown nosave
wait "$server"
echo "server: $?"
trap - EXIT
