# SPDX-License-Identifier: MIT
"""Counts what the supervisor does for a trapped call: instructions of its own
and system calls, exactly.

epemu runs under callgrind, which follows it into the supervisor; the program
itself runs natively. It takes one step at a time, so the supervisor does the
same in each run, however busy the machine is; and it makes marks, at each of
which callgrind writes down what it has counted since the last one
(bench/steps.c, bench/forward.c).
"""

import json
import os
import re
import resource
import select
import shutil
import subprocess
import tempfile
import threading
import time

from programs import LIMIT_S, Unavailable, end_group
from supervisor import find_supervisor

OPERATIONS = 400
# Files of callgrind: the first is up to the first mark.
EMPTY, FULL = 2, 3
FILES = 12000  # open at once in the largest workload, and some

# The calls in which a supervisor may sleep, by their numbers on x86-64, and
# which argument is the time limit. Without one, nothing is put off: no sweep.
SLEEPS = {
    232: 3,  # epoll_wait
    281: 3,  # epoll_pwait
    441: 3,  # epoll_pwait2
    7: 2,  # poll
    271: 2,  # ppoll
    16: None,  # ioctl, to receive
}
NO_LIMIT = {"0x0", "0xffffffff", "0xffffffffffffffff"}

LIBRARY = "epemu-forward.so"  # its own instructions are not epemu's
FORWARDED = "call_past_valgrind"
# Answered without the kernel's help when valgrind does not run.
NO_CALL = "clock_gettime"

NAME = re.compile(r"(c?(?:fn|ob))=\((\d+)\)(?: (.*))?$")


class Count:
    """Instructions and system calls of one process."""

    def __init__(self, instructions, calls):
        self.instructions = instructions
        self.calls = calls

    def per(self, traps, without):
        """For each trapped call, what is there without them taken off."""
        return Count((self.instructions - without.instructions) / traps,
                     (self.calls - without.calls) / traps)


class Profile:
    """Adds up a profile of callgrind with --collect-systime."""

    def __init__(self):
        self.names = {}
        self.now = {"fn": "", "ob": "", "cfn": "", "cob": ""}
        self.count = Count(0, 0)
        self.of_callee = False

    def name(self, match):
        """A name has a number, and is written out where it comes first."""
        which, number = match[1], (match[1][-2:], match[2])
        if match[3]:
            self.names[number] = match[3]
        self.now[which] = self.names[number]

    def cost(self, words):
        """Of a line of the function itself."""
        if not self.now["ob"].endswith(LIBRARY):
            self.count.instructions += int(words[1])
        if len(words) > 2 and not self.now["fn"].startswith(NO_CALL):
            self.count.calls += int(words[2])

    def line(self, line):
        """Any line of the file."""
        match = NAME.match(line)
        if match:
            self.name(match)
        elif line.startswith("calls="):
            if self.now["cfn"].startswith(FORWARDED):
                self.count.calls += int(line[6:].split()[0])
            self.of_callee = True  # the next line is the callee's cost
        elif line[:1] in set("0123456789+-*"):
            if not self.of_callee:
                self.cost(line.split())
            self.of_callee = False


def read_profile(path):
    """The sums of a file that callgrind wrote."""
    profile = Profile()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            profile.line(line.rstrip("\n"))
    if not profile.count.instructions:
        raise Unavailable("callgrind counted nothing")
    return profile.count


def is_at_rest(pid):
    """Does it sleep until a call or a wake-up comes, however long?"""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
        words = file.read().split()
    if words[0] == "running" or int(words[0]) not in SLEEPS:
        return False
    limit = SLEEPS[int(words[0])]
    return limit is None or words[1 + limit] in NO_LIMIT


def await_rest(pid):
    """The supervisor has nothing left to do, and nothing put off."""
    end = time.monotonic() + LIMIT_S
    while not is_at_rest(pid):
        if time.monotonic() > end:
            raise Unavailable("the supervisor does not come to rest")
        time.sleep(0.01)


def await_end(pidfd):
    """Of a process that is not a child of ours."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(LIMIT_S * 1000):
        raise Unavailable("the supervisor does not end")


def raise_file_limit():
    """For all that is run; under valgrind it cannot be raised any more. True
    if there is room for each workload."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
            return True
        except ValueError:
            pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard >= FILES


def complaints(place):
    """What valgrind had to say."""
    said = ""
    for name in sorted(os.listdir(place)):
        if name.startswith("valgrind."):
            path = os.path.join(place, name)
            with open(path, encoding="utf-8", errors="replace") as file:
                said += file.read()
    unhandled = re.search(r"unhandled \S+ syscall: (\d+)", said)
    if unhandled:
        return (f"valgrind does not know system call {unhandled[1]}: "
                "name it in bench/forward.c")
    return said.strip() or "no word of valgrind"


class Counter:
    """Runs workloads under callgrind."""

    def __init__(self, programs, keep=None):
        self.programs = programs
        self.keep = keep  # a folder for the profiles

    def command(self, place, workload):
        """epemu under callgrind, the program without."""
        return [self.programs.tool("valgrind"), "-q", "--tool=callgrind",
                "--collect-systime=yes", "--vgdb=no",
                f"--callgrind-out-file={place}/profile.%p",
                f"--log-file={place}/valgrind.%p",
                self.programs.epemu, "-v", "-o", f"{place}/log", "--",
                "env", "-u", "LD_PRELOAD",
                self.programs.bench("epemu-bench"), "--steps", "--gate",
                workload, str(OPERATIONS)]

    def environment(self, place):
        """The same everywhere, without anybody's options for valgrind."""
        return {"PATH": os.environ["PATH"], "HOME": place, "LC_ALL": "C",
                "LD_PRELOAD": self.programs.bench("epemu-forward.so")}

    def count(self, workload):
        """For one trapped call of a workload."""
        with tempfile.TemporaryDirectory(prefix="epemu-count-") as place:
            with subprocess.Popen(
                    self.command(place, workload), text=True,
                    env=self.environment(place), cwd=place,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True) as process:
                limit = threading.Timer(LIMIT_S, end_group, [process])
                limit.start()
                try:
                    pid, traps = attend(process, place)
                finally:
                    limit.cancel()
                    end_group(process)
            empty, full = (os.path.join(place, f"profile.{pid}.{part}")
                           for part in (EMPTY, FULL))
            count = read_profile(full).per(traps, read_profile(empty))
            if self.keep:
                shutil.copy(full, os.path.join(
                    self.keep, f"callgrind.out.{workload}"))
        return count


def attend(process, place):
    """From start to end; the supervisor's id, and how many calls it had."""
    if not process.stdout.readline():
        said = process.stderr.read().strip()
        raise Unavailable(f"{said or 'no word of epemu'}; "
                          f"{complaints(place)}")
    pid = find_supervisor(os.path.join(place, "log"))
    pidfd = os.pidfd_open(pid)
    try:
        await_rest(pid)
        process.stdin.write("\n")
        process.stdin.flush()
        said = process.stdout.readline()
        await_end(pidfd)
    finally:
        os.close(pidfd)
    try:
        return pid, json.loads(said)["calls"]
    except ValueError:
        raise Unavailable("the program was cut short; "
                          f"{complaints(place)}") from None
