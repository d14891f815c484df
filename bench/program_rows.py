# SPDX-License-Identifier: MIT
"""Rows for whole programs. Of a server only the server runs under epemu; what
asks it runs natively. The bare notifier lets every call go on."""

import csv
import os
import re
import time

from columns import (EPEMU, EVENT_CALLS, NATIVE, STRACE, STRACE_BPF, TITLES,
                     TRACE)
from programs import Server, Unavailable, free_port, run, run_json
from rows import RATE, TIME, Row, Target, against

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = {"full": 0.7, "quick": 0.25}


def at_least(row, bound):
    """A target for the throughput against native."""
    return against(row, EPEMU, NATIVE, "epemu / native", bound, at_most=False)


class ProgramRow(Row):
    """What all whole programs share."""

    group = "whole programs"
    kind = RATE
    unit = "/s"
    repetitions = {"full": 5, "quick": 2}
    calls = EVENT_CALLS

    def prefix(self, bench, column):
        """The words before the program."""
        return bench.columns.prefix(column, calls=self.calls,
                                    whole_program=True)


class ServerRow(ProgramRow):
    """A server, and somebody who asks it."""

    def command(self, bench, port):
        """The server."""
        raise NotImplementedError

    def ask(self, bench, server, column):
        """How many answers came in a second."""
        raise NotImplementedError

    def measure(self, bench, column):
        port = free_port()
        command = self.command(bench, port)
        with Server(self.prefix(bench, column), command, port) as server:
            return self.ask(bench, server, column)


class EchoRow(ServerRow):
    """tokio's echo server."""

    def __init__(self, flavour, connections, bound):
        names = {"ct": "current_thread", "mt": "multi_thread"}
        super().__init__(
            f"echo-{flavour}-{connections}",
            f"tokio echo, {names[flavour]}, {connections} conn.")
        self.flavour = flavour
        self.connections = connections
        self.targets.append(at_least(self.name, bound))
        self.targets.append(against(self.name, TRACE, EPEMU,
                                    "epemu --trace / epemu", 0.83, False))

    def command(self, bench, port):
        return [bench.programs.cached("epemu-bench-tokio"), "echo",
                self.flavour, str(port)]

    def ask(self, bench, server, _column):
        return run_json([bench.programs.bench("epemu-bench-load"),
                         str(server.port), str(self.connections),
                         str(round(SECONDS[bench.size] * 1000))])["rate"]


class RedisRow(ServerRow):
    """redis-server under redis-benchmark."""

    def __init__(self, pipeline):
        super().__init__(f"redis-{pipeline}",
                         f"redis GET, pipeline {pipeline}")
        self.pipeline = pipeline
        self.targets.append(at_least(self.name, 0.85))

    def command(self, bench, port):
        return [bench.programs.tool("redis-server"), "--port", str(port),
                "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def ask(self, bench, server, column):
        requests = 10000 if bench.size == "quick" else 30000
        if self.pipeline > 1:
            requests *= 5
        if column == STRACE:
            requests //= 5
        said = run([bench.programs.tool("redis-benchmark"), "-p",
                    str(server.port), "-n", str(requests), "-c", "50", "-P",
                    str(self.pipeline), "-t", "get", "--csv"])
        for line in csv.reader(said.splitlines()):
            if line and line[0] == "GET":
                return float(line[1])
        raise Unavailable("redis-benchmark printed no rate")


class HttpRow(ServerRow):
    """A web server under wrk with 64 connections that are kept."""

    def __init__(self, name, title, words):
        super().__init__(name, title)
        self.words = words
        self.targets.append(at_least(name, 0.85))

    def command(self, bench, port):
        return self.words(bench, port)

    def ask(self, bench, server, _column):
        said = run([bench.programs.tool("wrk"), "-t", "1", "-c", "64", "-d",
                    "1s", f"http://127.0.0.1:{server.port}/"])
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        errors = re.search(r"(Non-2xx|Socket errors).*", said)
        if errors or not rate:
            raise Unavailable(f"wrk: {errors[0] if errors else 'no rate'}")
        return float(rate[1])


NGINX_CONF = """
worker_processes 1;
daemon off;
pid pid;
error_log errors warn;
events { worker_connections 256; use epoll; }
http {
	access_log off;
	keepalive_requests 1000000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen 127.0.0.1:%d;
		location / { return 200 "small answer\\n"; }
	}
}
"""


def nginx_words(bench, port):
    """A configuration in the server's own folder, which the shell fills."""
    nginx = bench.programs.tool("nginx")
    return ["sh", "-c", 'printf "%s" "$2" >conf && '
            'exec "$1" -e "$PWD/errors" -p "$PWD" -c "$PWD/conf"',
            "sh", nginx, NGINX_CONF % port]


def node_words(bench, port):
    """Node's own http."""
    return [bench.programs.tool("node"), os.path.join(HERE, "node-http.js"),
            str(port)]


def go_words(bench, port):
    """Go's net/http."""
    return [bench.programs.cached("epemu-bench-go"), str(port)]


class TokioRow(ProgramRow):
    """A tokio program that times itself."""

    def __init__(self, case, flavour, title, calls=EVENT_CALLS):
        super().__init__(f"{case}-{flavour}", title)
        self.case = case
        self.flavour = flavour
        self.calls = calls

    def measure(self, bench, column):
        return run_json([*self.prefix(bench, column),
                         bench.programs.cached("epemu-bench-tokio"),
                         self.case, self.flavour,
                         str(round(SECONDS[bench.size] * 1000))])["rate"]


class CommandRow(ProgramRow):
    """A command, from start to end."""

    kind = TIME
    unit = "s"
    repetitions = {"full": 7, "quick": 3}

    def __init__(self, name, title, words, bound, columns=tuple(TITLES)):
        super().__init__(name, title)
        self.words = words
        self.columns = columns
        self.targets.append(against(name, EPEMU, NATIVE, "epemu / native",
                                    bound))

    def measure(self, bench, column):
        command = [*self.prefix(bench, column), *self.words(bench)]
        begin = time.monotonic()
        run(command)
        return time.monotonic() - begin


def brush_words(bench):
    """200 processes."""
    return [bench.programs.cached("brush"),
            os.path.join(HERE, "brush-200.sh")]


def shell_words(_bench):
    """read takes its lines byte by byte from a pipe."""
    return ["sh", "-c", "seq 100000 | while read -r line; do :; done"]


def wake_rows():
    """Each wake-up is a write to an eventfd and a wait."""
    rows = []
    for flavour in ("ct", "mt"):
        row = TokioRow("wakes", flavour,
                       f"tokio wake-ups across threads, {flavour}",
                       calls="epoll_wait,write")
        name = row.name
        row.targets.append(at_least(name, 0.25))
        row.targets.append(Target(
            "epemu / strace --seccomp-bpf ≥ 4",
            lambda results, name=name: results[name].ratio(EPEMU, STRACE_BPF),
            4, False))
        rows.append(row)
    return rows


def program_rows():
    """All of them."""
    bounds = {1: 0.75, 64: 0.95, 1000: 0.95}
    rows = [EchoRow(flavour, connections, bound)
            for flavour in ("ct", "mt")
            for connections, bound in bounds.items()]
    rows += wake_rows()
    rows += [TokioRow("timers", flavour,
                      f"tokio, 10,000 timers, {flavour}")
             for flavour in ("ct", "mt")]
    rows += [RedisRow(1), RedisRow(16)]
    rows += [HttpRow("nginx", "nginx, keep-alive, 64 conn.", nginx_words),
             HttpRow("node-http", "Node HTTP, 64 conn.", node_words),
             HttpRow("go-http", "Go HTTP, 64 conn.", go_words)]
    rows.append(CommandRow("brush-200", "brush, a script of 200 processes",
                           brush_words, 1.3))
    # One time takes 20 s and more under strace, either way.
    rows.append(CommandRow("shell-bytes", "sh, 100,000 lines byte by byte",
                           shell_words, 1.1,
                           [name for name in TITLES
                            if name not in (STRACE, STRACE_BPF)]))
    return rows
