# SPDX-License-Identifier: MIT
"""Runs one command in a place of its own, within a limit of time, and sees to
it that nothing of it is left.

The process that uses this module is made the reaper of all that it starts,
so nothing escapes by forking twice or by starting a session of its own.
"""

import ctypes
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from cases import EPEMU

PR_SET_CHILD_SUBREAPER = 36
# Until everything that a command started has to be gone after its end.
LEFTOVER_S = 20
# Handed on to the commands; the rest of the environment is fixed.
KEPT = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass
class Result:
    """How a run went. `trouble` says what was wrong with it as a run: too
    slow, or something was left behind."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    trouble: list
    messages: str = ""


def become_reaper():
    """Has to be called once, before the first run."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def read(path):
    """A file of /proc, which may be gone."""
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def descendants():
    """The processes below this one, as {pid: state}."""
    parents = {}
    for name in os.listdir("/proc"):
        stat = read(f"/proc/{name}/stat") if name.isdigit() else ""
        if stat:
            state, parent = stat.rpartition(")")[2].split()[:2]
            parents[int(name)] = (int(parent), state)
    found, above = {}, [os.getpid()]
    while above:
        reaper = above.pop()
        for pid, (parent, state) in parents.items():
            if parent == reaper and pid not in found:
                found[pid] = state
                above.append(pid)
    return found


def describe(pid):
    """A process and its threads, in a line for each."""
    command = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    lines = [f"process {pid}: {command[:150]}"]
    try:
        threads = sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    except OSError:
        return lines
    for tid in threads:
        task = f"/proc/{pid}/task/{tid}"
        stat = read(f"{task}/stat").rpartition(")")[2].split()
        if stat:
            lines.append(f"  {tid} {read(f'{task}/comm').strip()} {stat[0]} "
                         f"in {read(f'{task}/wchan') or '?'}; "
                         f"call {read(f'{task}/syscall').strip()}")
    return lines


def describe_all():
    """Everything below this process that is not a zombie."""
    return [line for pid, state in sorted(descendants().items())
            if state != "Z" for line in describe(pid)]


def reap():
    """Takes the statuses of whatever ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all():
    """Ends everything below this process."""
    while True:
        reap()
        left = [pid for pid, state in descendants().items() if state != "Z"]
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    reap()


def leftovers():
    """What is still there when there should be nothing; it is ended."""
    deadline = time.monotonic() + LEFTOVER_S
    while True:
        reap()
        if not any(state != "Z" for state in descendants().values()):
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    lines = describe_all()
    kill_all()
    return ["left behind:", *lines]


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(place, more):
    """The same for every run but for the place and the port."""
    env = {
        "PATH": PATH,
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "DENO_NO_UPDATE_CHECK": "1",
        "EPEMU_TEST_PORT": str(free_port()),
    }
    env.update({name: os.environ[name] for name in KEPT
                if name in os.environ})
    env.update(more)
    return env


def wait(process, limit_s, trouble):
    """The status; a process that takes too long is shown and ended."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        trouble += [f"not done after {limit_s} s:", *describe_all()]
        kill_all()
        return process.wait()


def command_of(case, epemu, messages):
    """The words to run, with epemu put in or left out."""
    words = [str(word) for word in case.command]
    call = [str(epemu), "-v", "-o", str(messages), *case.options, "--"]
    if EPEMU not in words:
        words.insert(0, EPEMU)
    at = words.index(EPEMU)
    words[at:at + 1] = call if epemu else []
    return words


def run_in(place, case, epemu):
    """Runs a case in an empty directory, natively if epemu is None."""
    for name in ("home", "tmp", "work"):
        (place / name).mkdir()
    # A server that gives up root has to get in.
    place.chmod(0o755)
    messages = place / "messages"
    command = command_of(case, epemu, messages)
    trouble = []
    (place / "in").write_bytes(case.stdin)
    with open(place / "in", "rb") as stdin, \
            open(place / "out", "wb") as out, \
            open(place / "err", "wb") as err:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdin=stdin, stdout=out, stderr=err, cwd=place / "work",
            env=environment(place, case.env), start_new_session=True)
        status = wait(process, case.limit_s, trouble)
        seconds = time.monotonic() - start
    trouble += leftovers()
    return Result(status, (place / "out").read_bytes(),
                  (place / "err").read_bytes(), seconds, trouble,
                  read(messages))


def run(case, epemu=None):
    """Runs a case in a temporary directory, which is removed again."""
    with tempfile.TemporaryDirectory(prefix="epemu-", dir="/tmp",
                                     ignore_cleanup_errors=True) as place:
        return run_in(pathlib.Path(place), case, epemu)
