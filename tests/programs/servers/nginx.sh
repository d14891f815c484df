# SPDX-License-Identifier: MIT
# nginx with two workers on one listening socket, without reuseport: each
# worker adds the socket to its epoll with EPOLLEXCLUSIVE. wrk asks for a
# small and a large answer; new workers take over in between.
# EPEMU_TEST_PORT is a free port; the working directory is ours.

here=$(pwd)
# As root, the workers become another user, who has to get in here.
chmod 755 .
mkdir files temp
head -c 200000 /dev/zero >files/large
cat >conf <<END
$([ "$(id -u)" -ne 0 ] || echo 'user www-data;')
worker_processes 2;
daemon off;
pid $here/pid;
error_log $here/errors warn;
events {
	worker_connections 256;
	accept_mutex off;
	use epoll;
}
http {
	access_log off;
	sendfile on;
	keepalive_requests 50;
	client_body_temp_path temp/body;
	proxy_temp_path temp/proxy;
	fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi;
	scgi_temp_path temp/scgi;
	server {
		listen 127.0.0.1:$EPEMU_TEST_PORT;
		root $here/files;
		location = /small { return 200 "small answer\n"; }
		location = /proxied {
			proxy_pass http://127.0.0.1:$EPEMU_TEST_PORT/large;
		}
	}
}
END

url=http://127.0.0.1:$EPEMU_TEST_PORT
nginx -e "$here/errors" -p "$here" -c "$here/conf" &
master=$!
trap 'kill "$master" 2>/dev/null; wait "$master"' EXIT

fetch() {
	python3 -c 'import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as reply:
    print(reply.status, len(reply.read()))' "$url/$1"
}

until fetch small >first 2>&1; do
	if ! kill -0 "$master"; then
		cat first errors
		exit 1
	fi
	sleep 0.05
done

# What wrk says is judged, not compared: rates differ.
load() {
	wrk -t 2 -c 20 -d 1 --timeout 30 "$url/$1" >"wrk-$1" || exit
	if grep -qE 'Non-2xx|Socket errors' "wrk-$1" ||
		! grep -qE '^ *[1-9][0-9]* requests in' "wrk-$1"; then
		cat "wrk-$1"
		exit 1
	fi
	echo "wrk $1: all answers were good"
}

load small
load large
echo "proxied: $(fetch proxied)"
workers() { pgrep -P "$master" | sort; }
before=$(workers)
nginx -e "$here/errors" -p "$here" -c "$here/conf" -s reload
# The old workers end when the new ones serve.
while [ -n "$(comm -12 <(echo "$before") <(workers))" ]; do sleep 0.05; done
load small
echo "workers: $(workers | wc -l)"
nginx -e "$here/errors" -p "$here" -c "$here/conf" -s quit
wait "$master"
echo "nginx: $?"
trap - EXIT
