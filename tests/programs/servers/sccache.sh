# SPDX-License-Identifier: MIT
# sccache is a tokio client and a tokio server: the second compilation of one
# file has to be a hit. The server is started in the foreground, as on a bare
# kernel one in fifty clients, too, waits in vain for a server that it started
# in the background. EPEMU_TEST_PORT is a free port; the working directory is
# ours.

export SCCACHE_DIR="$PWD/cache" SCCACHE_CONF="$PWD/none"
export SCCACHE_SERVER_PORT="$EPEMU_TEST_PORT" SCCACHE_IDLE_TIMEOUT=60
unset SCCACHE_ERROR_LOG SCCACHE_LOG RUSTC_WRAPPER

i=0
while [ "$i" -lt 4 ]; do
	echo "int answer_$i(void) { return $i; }" >"answer_$i.c"
	i=$((i + 1))
done
SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 sccache >log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server"' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$EPEMU_TEST_PORT") 2>refused; do
	if ! kill -0 "$server"; then
		cat log
		exit 1
	fi
	sleep 0.05
done

for turn in first second; do
	pids=
	for source in answer_*.c; do
		sccache cc -c "$source" -o "$turn-${source%.c}.o" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || exit
	done
	echo "$turn: $(ls "$turn"-*.o | wc -l) compiled"
done
sccache --show-stats >stats || exit
sed -nE 's/^(Compile requests|Cache hits|Cache misses) +([0-9]+)$/\1: \2/p' stats
sccache --stop-server >stopped 2>&1
echo "stopped: $?"
trap - EXIT
wait "$server"
echo "server: $?"
for source in answer_*.c; do
	cmp "first-${source%.c}.o" "second-${source%.c}.o" || exit
done
