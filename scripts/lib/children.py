#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command and sees to it that no process is left behind.

    children.py TAPFILE NAME COMMAND [ARGUMENT...]

It makes itself the reaper of whatever the command starts, so that nothing
escapes by forking twice, starting a session of its own or clearing its
environment. Processes that are still there GRACE_S after the command ended
are shown and killed. TAPFILE gets one case, which says whether there were
any. The status is the command's own.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 10


def describe(pid):
    """A process in one line, from what /proc says of it."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except OSError:
        return f"process {pid}"
    line = b" ".join(words).decode(errors="replace").strip()
    return f"process {pid} ({state}): {line[:200]}"


def children():
    """Our children; a child's own children come to us when it ends."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                parent = file.read().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found.append(int(entry))
    return found


def reap_until(pid):
    """Reaps whatever ends until pid does; returns its status."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def reap_for(seconds):
    """Reaps what ends in that time; true if nobody is left."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        left = deadline - time.monotonic()
        if not ended:
            if left <= 0:
                return False
            signal.sigtimedwait({signal.SIGCHLD}, left)


def kill_rest():
    """Kills what is left, generation by generation; tells what it was."""
    lines = []
    while not reap_for(0):
        for pid in children():
            lines.append(describe(pid))
            os.kill(pid, signal.SIGKILL)
        reap_for(1)
    return lines


def main():
    tap_path, name, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda which, _: os.kill(pid, which))
    status = reap_until(pid)
    left = [] if reap_for(GRACE_S) else kill_rest()
    with open(tap_path, "w", encoding="utf-8") as tap:
        verdict = "not ok" if left else "ok"
        tap.write(f"1..1\n{verdict} 1 - {name} leaves no process behind\n")
        for line in left:
            tap.write(f"# {line}\n")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
