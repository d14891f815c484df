# SPDX-License-Identifier: MIT
# pagefind, a static program with musl and tokio: it indexes a small site,
# then serves it. $1 is the program; EPEMU_TEST_PORT is a free port; the
# working directory is ours.

mkdir site
i=0
while [ "$i" -lt 60 ]; do
	cat >"site/page$i.html" <<END
<!doctype html><html lang="en"><title>Page $i</title>
<body data-pagefind-body><h1>Page $i</h1><p>words about number $i and
readiness, edges, levels and wake-ups</p></body></html>
END
	i=$((i + 1))
done
# It serves on the first free port it finds, and prints which.
: >log
"$1" --site site --serve >>log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server"' EXIT
until grep -q '^Serving "site" at' log; do
	if ! kill -0 "$server"; then
		cat log
		exit 1
	fi
	sleep 0.05
done
grep -E '^(Total|  Indexed|Found a|Found [0-9])' log
echo "fragments: $(find site/pagefind -name '*.pf_fragment' | wc -l)"

port=$(sed -n 's/^Serving "site" at .*:\([0-9]*\).*/\1/p' log)
python3 - "$port" <<'END'
import concurrent.futures
import pathlib
import sys
import urllib.error
import urllib.request

SITE = f"http://127.0.0.1:{sys.argv[1]}"


def right(path):
    with urllib.request.urlopen(f"{SITE}/{path}", timeout=30) as reply:
        return reply.read() == (pathlib.Path("site") / path).read_bytes()


paths = [f"page{number}.html" for number in range(60)]
paths += ["pagefind/pagefind.js", "pagefind/wasm.en.pagefind"]
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    print("served:", sum(pool.map(right, paths * 5)))
try:
    urllib.request.urlopen(f"{SITE}/missing", timeout=30)
except urllib.error.HTTPError as error:
    print("missing:", error.code)
END
kill "$server"
wait "$server"
echo "server: $?"
trap - EXIT
