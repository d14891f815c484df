# SPDX-License-Identifier: MIT
"""What the drivers of the hostile tests share: processes, runs, results."""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

NOBODY = 65534
GOOD = 3        # how an arena ends that found no fault
PR_SET_CHILD_SUBREAPER = 36


class Fault(Exception):
    """What was not to happen; the text says what."""


def become_subreaper():
    """What outlives its parents becomes a child of this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def descendants():
    """All processes below this one, as pid -> (comm, state)"""
    table = {}
    for name in os.listdir("/proc"):
        stat = read(f"/proc/{name}/stat") if name.isdigit() else ""
        if stat:
            rest = stat[stat.rindex(")") + 2:].split()
            table[int(name)] = (int(rest[1]), rest[0],
                                stat[stat.index("(") + 1:stat.rindex(")")])
    found, todo = {}, [os.getpid()]
    while todo:
        above = todo.pop()
        for pid, (parent, state, comm) in table.items():
            if parent == above and pid not in found:
                found[pid] = (comm, state)
                todo.append(pid)
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all():
    """Ends all that is below this process."""
    for _ in range(100):
        reap()
        pids = descendants()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.05)


def link(path):
    try:
        return os.readlink(path)
    except OSError:         # closed since it was listed
        return ""


def holds_listener(pid):
    base = f"/proc/{pid}/fd"
    try:
        return any("seccomp notify" in link(f"{base}/{fd}")
                   for fd in os.listdir(base))
    except OSError:
        return False


def supervisor():
    """The pid of the one process that has the filter's listener, or None."""
    for pid, (comm, _) in descendants().items():
        if comm.startswith("epemu") and holds_listener(pid):
            return pid
    return None


def threads_of(pid):
    try:
        return sorted(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def describe_all():
    """What each thread below this process does, for a fault's log."""
    lines = []
    for pid, (comm, state) in descendants().items():
        lines.append(f"process {pid} ({comm!a}) {state}")
        for tid in threads_of(pid):
            base = f"/proc/{pid}/task/{tid}"
            lines += [f"  thread {tid}: syscall "
                      f"[{read(base + '/syscall').strip()}] "
                      f"wchan {read(base + '/wchan')}"]
            lines += ["    " + line for line in
                      (read(base + "/status") + read(base + "/stack"))
                      .splitlines()]
    return lines


def await_nothing_left(limit_s):
    end = time.monotonic() + limit_s
    while True:
        reap()
        left = descendants()
        if not left:
            return
        if time.monotonic() > end:
            raise Fault(f"left behind after {limit_s} s: {left}")
        time.sleep(0.01)


def as_user(argv, user):
    """The command as an ordinary user, where this one is root."""
    if not user or os.geteuid() != 0:
        return argv
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", "--", *argv]


def folder(prefix):
    """A new folder that an ordinary user may write to as well."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o1777)
    return path


class Tap:
    """Results, one line each."""

    def __init__(self):
        self.count = self.bad = 0

    def result(self, title, fault="", note=""):
        self.count += 1
        self.bad += bool(fault)
        print(f"{'not ok' if fault else 'ok'} {self.count} - {title}")
        for line in (fault or note).splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def finish(self):
        print(f"1..{self.count}")
        print(f"# {self.count - self.bad} of {self.count} passed")
        return 1 if self.bad or not self.count else 0


def popen(argv, **more):
    return subprocess.Popen(argv, start_new_session=True, **more)
