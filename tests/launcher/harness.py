# SPDX-License-Identifier: MIT
"""What the launcher's tests share.

Each test file takes the path of epemu as its first argument or from the
environment variable EPEMU. What a test compares it first gets from the bare
kernel, by running the same program without epemu: that is the oracle.

Every process that a test starts carries a mark in its environment. After each
test none with that mark may be left.
"""

import contextlib
import ctypes
import io
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

LIMIT_S = 60
MARK = "EPEMU_TEST_MARK"
EPEMU = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and
                        not sys.argv[1].startswith("-")
                        else os.environ.get("EPEMU", "epemu"))
# A program that shows what epemu does differently, built beside it.
DIFFERS = os.path.join(os.path.dirname(EPEMU), "../tests/launcher/differs")
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = sys.executable

# What the tests are about must not depend on who starts them: nohup, or a
# shell that runs them in the background, has these ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def wait_until(condition, what, limit_s=LIMIT_S):
    """Waits for something that sends no event; returns its true value."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.005)


def read_file(path):
    """The file's text, or None: a process may go at any moment."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return None


def stat_of(pid):
    """(comm, state, ppid, pgrp, session) of a process, or None."""
    text = read_file(f"/proc/{pid}/stat")
    if not text:
        return None
    rest = text[text.rindex(")") + 2:].split()
    return (text[text.index("(") + 1:text.rindex(")")], rest[0],
            int(rest[1]), int(rest[2]), int(rest[3]))


def state(pid):
    """The state letter, or None."""
    stat = stat_of(pid)
    return stat[1] if stat else None


def is_stopped(pid):
    return state(pid) == "T"


def is_gone(pid):
    return state(pid) in (None, "Z", "X")


def children(pid):
    """{pid: comm} of the living children."""
    found = {}
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat and stat[2] == pid and stat[1] not in "ZX":
            found[int(name)] = stat[0]
    return found


def supervisor_of(launcher):
    """The pid of the launcher's supervisor, once it is there."""
    def look():
        return [pid for pid, comm in children(launcher).items()
                if comm == "epemu-serve"]
    return wait_until(look, "a supervisor")[0]


def canary_of(launcher):
    """The pid of the canary in this launcher's group."""
    supervisor = supervisor_of(launcher)

    def look():
        return [pid for pid, comm in children(supervisor).items()
                if comm == "epemu-canary"]
    return wait_until(look, "a canary")[0]


def program_of(launcher):
    """The pid of the program that runs under this launcher."""
    supervisor = supervisor_of(launcher)

    def look():
        return [pid for pid, comm in children(supervisor).items()
                if comm not in ("epemu", "epemu-canary")]
    return wait_until(look, "a program")[0]


class SigVal(ctypes.Union):
    _fields_ = [("sival_int", ctypes.c_int), ("sival_ptr", ctypes.c_void_p)]


def sigqueue(pid, number, value):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, SigVal]
    if libc.sigqueue(pid, number, SigVal(sival_int=value)) < 0:
        raise OSError(ctypes.get_errno(), "sigqueue")


# Arguments of Popen: as an ordinary user, for who is root.
USER = {"user": 65534, "group": 65534, "extra_groups": []}
CAP_SYS_RESOURCE = 24
PR_CAPBSET_DROP = 24
LIBC = ctypes.CDLL(None, use_errno=True)


def drop_right(capability):
    """Makes this process give up a capability for good: root gets it back by
    no execve, since it is taken out of the bounding set, too."""
    # Who may not do that is no root, and has no capability to be got back.
    LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    # Effective, permitted and inheritable, of capabilities below 32, then of
    # those above.
    sets = (ctypes.c_uint32 * 6)()
    if LIBC.capget(header, sets) < 0:
        raise OSError(ctypes.get_errno(), "capget")
    for i in range(3):
        sets[i] &= ~(1 << capability)
    if LIBC.capset(header, sets) < 0:
        raise OSError(ctypes.get_errno(), "capset")


def limit_files(soft, hard=None):
    """A preexec_fn: so many open files, and no right to raise that limit.
    With CAP_SYS_RESOURCE epemu gives its supervisor as many as the system
    allows, and then no test can fill its table."""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))
        drop_right(CAP_SYS_RESOURCE)
    return lower


def has_address_sanitizer():
    with open(EPEMU, "rb") as file:
        return b"__asan_init" in file.read()


class TestCase(unittest.TestCase):
    """Starts programs natively and under epemu, and cleans up after both."""

    maxDiff = None

    def setUp(self):
        self.mark = uuid.uuid4().hex
        self.env = dict(os.environ, LC_ALL="C", **{MARK: self.mark})
        self.addCleanup(self.check_nothing_left)

    def new_folder(self, mode=0o700):
        """The path of a folder that goes with the test."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, mode)
        return folder.name

    def lacks(self, what):
        """Skips the test; in CI, where nothing may be lacking, fails it."""
        if os.environ.get("EPEMU_CI") == "1":
            self.fail(what)
        self.skipTest(what)

    def marked(self):
        """Processes with this test's mark, as {pid: command line}."""
        found = {}
        needle = f"{MARK}={self.mark}"
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            if needle in (read_file(f"/proc/{name}/environ") or "") \
                    and not is_gone(int(name)):
                found[int(name)] = (stat_of(name) or ("?",))[0] + ": " + \
                    (read_file(f"/proc/{name}/cmdline") or "?")
        return found

    def check_nothing_left(self, limit_s=LIMIT_S):
        deadline = time.monotonic() + limit_s
        while (left := self.marked()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, {}, "processes were left over")

    @staticmethod
    def ways():
        """What to put before a command: natively nothing, then epemu. Its
        name goes into the test's output."""
        for name, prefix in (("native", []), ("epemu", [EPEMU])):
            sys.stderr.write(f"{name} ")
            sys.stderr.flush()
            yield prefix

    def run_it(self, argv, **more):
        """Runs to the end; output is text. A hang fails."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("env", self.env)
        return subprocess.run(argv, text=True, timeout=LIMIT_S, check=False,
                              **more)

    def assert_same(self, argv, **more):
        """Status and output are those of the native run. Returns that."""
        native = self.run_it(argv, **more)
        ours = self.run_it([EPEMU] + argv, **more)
        self.assertEqual(
            (ours.returncode, ours.stdout, ours.stderr),
            (native.returncode, native.stdout, native.stderr), argv)
        return native

    def start(self, argv, **more):
        """Starts in a process group of its own; killed in the end."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("env", self.env)
        process = subprocess.Popen(argv, text=True, process_group=0, **more)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        if process.poll() is None:
            process.kill()
            process.wait(LIMIT_S)


def held_alone(test):
    """Does a case that failed hold three times in a row, by itself?"""
    stream = io.StringIO()
    return all(unittest.TextTestRunner(stream=stream)
               .run(unittest.TestSuite([type(test)(test._testMethodName)]))
               .wasSuccessful() for _ in range(3))


def main(again=False):
    """Runs all cases, or those that are named.

    A case that failed once is a failure. `again` is for the tests that type at
    a shell: a shell tells of its jobs when it gets round to it, and on a busy
    machine a key can come between. A case of theirs that failed is passed if
    it holds three times by itself; the output tells of it."""
    stream = io.StringIO()
    result = unittest.main(
        exit=False, verbosity=2,
        testRunner=unittest.TextTestRunner(stream=stream, verbosity=2)).result
    failed = result.failures + result.errors
    cases = [getattr(test, "test_case", test) for test, _ in failed]
    if again and failed and all(hasattr(case, "_testMethodName") and
                                held_alone(case) for case in cases):
        for test, text in failed:
            print(f"{test} held when it was run again; before:")
            print("  " + text.strip().replace("\n", "\n  "))
        print(f"Ran {result.testsRun} tests in all\n\nOK", flush=True)
        sys.exit(0)
    sys.stderr.write(stream.getvalue())
    sys.exit(0 if result.wasSuccessful() else 1)
