# SPDX-License-Identifier: MIT
"""Adopts orphans, as process 1 does, and reaps none of them. Runs a command
many times at once, waits for it alone, and prints how many zombies it has
then. With `kill` each run is waited for to say "ready" first, and then its
supervisor is killed, if it has one."""

import ctypes
import glob
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def children(parent, state_wanted=None):
    found = []
    for name in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(name, "rb") as file:
                stat = file.read().decode(errors="replace")
        except OSError:
            continue
        state, its_parent = stat.rsplit(")", 1)[1].split()[:2]
        if int(its_parent) == parent and (state == "Z") == \
                (state_wanted == "Z"):
            found.append((int(stat.split()[0]),
                          stat[stat.index("(") + 1:stat.rindex(")")]))
    return found


def main():
    how, count, *argv = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    runs = [subprocess.Popen(argv, stdout=subprocess.PIPE)
            for _ in range(int(count))]
    if how == "kill":
        for run in runs:
            assert run.stdout.readline() == b"ready\n"
            for pid, comm in children(run.pid):
                if comm == "epemu-serve":
                    os.kill(pid, signal.SIGKILL)
    statuses = {run.wait() for run in runs}
    print(sorted(statuses), sorted(comm for _, comm in
                                   children(os.getpid(), "Z")))


main()
