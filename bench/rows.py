# SPDX-License-Identifier: MIT
"""What is measured: the rows of the table."""

import subprocess

from columns import EPEMU, FLOOR, NATIVE, TITLES
from programs import run_json

TIME = "time"    # less is better
RATE = "rate"    # more is better


class Target:
    """What a row is to reach: at most or at least `bound`."""

    def __init__(self, text, value, bound, at_most):
        self.text = text
        self.value = value    # from the results by name, to a number or None
        self.bound = bound
        self.at_most = at_most

    def judge(self, results):
        """The value and whether it is reached; None where it is unknown."""
        try:
            value = self.value(results)
        except KeyError:
            return None, None
        good = value <= self.bound if self.at_most else value >= self.bound
        return value, good


def against(row, column, reference, text, bound, at_most=True):
    """A target for the ratio of two columns of a row."""
    return Target(f"{text} {'≤' if at_most else '≥'} {bound}",
                  lambda results: results[row].ratio(column, reference),
                  bound, at_most)


class Row:
    """One line: how it is measured in each column."""

    group = ""
    kind = TIME
    unit = "ns"
    repetitions = {"full": 5, "quick": 3}
    columns = tuple(TITLES)

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self.targets = []

    def measure(self, bench, column):
        """One value in the row's unit."""
        raise NotImplementedError

    def supervisor_calls(self, _bench):
        """System calls of the supervisor for a trap, or None."""
        return None


class CallRow(Row):
    """One workload of epemu-bench."""

    group = "calls"
    repetitions = {"full": 15, "quick": 7}
    milliseconds = {"full": 80, "quick": 40}

    def __init__(self, name, title, traced):
        super().__init__(name, title)
        self.traced = traced
        self.targets.append(Target(
            "strace --seccomp-bpf / epemu ≥ 5",
            lambda results: results[name].ratio("strace-bpf", EPEMU), 5,
            False))

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


def all_rows(programs):
    """Every row, in the order of the table."""
    return call_rows(programs)
