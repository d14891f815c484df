# SPDX-License-Identifier: MIT
"""Counts the system calls that the supervisor makes for a trapped call.

strace looks at the supervisor while one workload runs; nothing is timed.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import time

from programs import LIMIT_S, Unavailable, end_group

RUN_MS = 200


def traced_by(pid):
    """The tracer of a process, 0 for none."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"TracerPid:\s*(\d+)", file.read())[1])


def is_asleep(pid):
    """Not in a stop of its tracer, either."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


def find_supervisor(log):
    """epemu -v says it in its messages."""
    with open(log, encoding="utf-8") as file:
        found = re.search(r"supervisor is process (\d+)", file.read())
    if not found:
        raise Unavailable("epemu did not name its supervisor")
    return int(found[1])


def parse(text):
    """Counts by name of the table of strace -c."""
    counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts


def count_calls(programs, workload):
    """Calls of the supervisor for each trap, by name, and their total."""
    with tempfile.TemporaryDirectory(prefix="epemu-bench-") as place:
        log = os.path.join(place, "log")
        table = os.path.join(place, "table")
        with subprocess.Popen(
                [programs.epemu, "-v", "-o", log, "--",
                 programs.bench("epemu-bench"), "--gate", workload,
                 str(RUN_MS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, start_new_session=True) as process:
            try:
                return watch(programs, process, log, table)
            finally:
                end_group(process)


def watch(programs, process, log, table):
    """From gate to gate."""
    process.stdout.readline()
    pid = find_supervisor(log)
    with subprocess.Popen([programs.tool("strace"), "-c", "-f", "-qq", "-o",
                           table, "-p", str(pid)],
                          stderr=subprocess.DEVNULL) as tracer:
        end = time.monotonic() + LIMIT_S
        while not traced_by(pid):
            if tracer.poll() is not None or time.monotonic() > end:
                raise Unavailable("strace cannot look at the supervisor")
            time.sleep(0.01)
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        # The last answer is on its way back to the supervisor still.
        while not is_asleep(pid) and time.monotonic() < end + LIMIT_S:
            time.sleep(0.01)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    process.stdin.write("\n")
    process.stdin.flush()
    traps = json.loads(process.stdout.read())["calls"]
    with open(table, encoding="utf-8") as file:
        counts = parse(file.read())
    return {"total": sum(counts.values()) / traps,
            "by_name": {name: count / traps
                        for name, count in counts.items()}}
