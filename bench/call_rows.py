# SPDX-License-Identifier: MIT
"""Rows for single calls: one for each workload of epemu-bench."""

import subprocess

from columns import EPEMU, FLOOR, NATIVE, STRACE_BPF, TRACE
from programs import run_json
from rows import Row, Target, against


class CallRow(Row):
    """One workload of epemu-bench."""

    group = "calls"
    repetitions = {"full": 15, "quick": 5}
    milliseconds = {"full": 80, "quick": 40}

    def __init__(self, name, title, traced):
        super().__init__(name, title)
        self.traced = traced
        self.targets.append(Target(
            "strace --seccomp-bpf / epemu ≥ 5",
            lambda results: results[name].ratio(STRACE_BPF, EPEMU), 5,
            False))
        self.targets.append(Target(
            "strace --seccomp-bpf / epemu --trace ≥ 5",
            lambda results: results[name].ratio(STRACE_BPF, TRACE), 5,
            False))
        self.targets.append(Target(
            "added by --trace / added by strace ≤ 0.2",
            lambda results: results[name].share(
                (TRACE, EPEMU), (STRACE_BPF, NATIVE)), 0.2, True))

    def measure(self, bench, column):
        prefix = bench.columns.prefix(column, calls=self.traced)
        floor = ["--floor"] if column == FLOOR else []
        return run_json([*prefix, bench.programs.bench("epemu-bench"), *floor,
                         self.name,
                         str(self.milliseconds[bench.size])])["ns"]

    def supervisor_calls(self, bench):
        return bench.watch_supervisor(self.name)


def call_rows(programs):
    """A row for each workload; the program has the list of them."""
    titles = {
        "wait-ready": "epoll_wait, one ready level item",
        "wait-after-nested": "the same, after a nested epoll has gone",
        "wait-none": "epoll_wait(0), none ready",
        "wait-64": "epoll_wait, 64 events at once",
        "ctl-add-del": "epoll_ctl ADD + DEL",
        "ctl-mod": "epoll_ctl MOD",
        "eventfd-write": "eventfd write",
        "eventfd-read": "eventfd read",
        "pipe-wait": "pipe write + epoll_wait + read",
        "ping-pong": "ping-pong of two threads (6 calls)",
        "write-with-waiter": "eventfd write, a waiter elsewhere",
    }
    said = subprocess.run([programs.bench("epemu-bench"), "--list"],
                          text=True, capture_output=True, check=True).stdout
    rows = []
    for line in said.splitlines():
        name, _, traced = line.split()
        rows.append(CallRow(name, titles.get(name, name), traced))
    named = {row.name: row for row in rows}
    named["wait-ready"].targets.insert(0, against(
        "wait-ready", EPEMU, FLOOR, "epemu / bare notifier", 1.5))
    named["write-with-waiter"].targets.insert(0, against(
        "write-with-waiter", EPEMU, FLOOR, "epemu / bare notifier", 2))
    return rows
