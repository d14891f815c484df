# SPDX-License-Identifier: MIT
"""--stats: what is counted, against programs whose calls are known."""

import copy
import os
import platform
import signal

from common import EPEMU, PYTHON, Case, main

KNOWN = """
import os, select
epoll = select.epoll()
event = os.eventfd(0, os.EFD_NONBLOCK)
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN)
epoll.register(event, select.EPOLLIN | select.EPOLLET)
try:
    epoll.register(pipe, select.EPOLLIN)
except FileExistsError:
    pass
for _ in range(5):
    os.write(other, b"x")
    assert epoll.poll() == [(pipe, select.EPOLLIN)]
    os.read(pipe, 1)
assert epoll.poll(0) == []
assert epoll.poll(0.01) == []
for _ in range(3):
    os.eventfd_write(event, 1)
assert os.eventfd_read(event) == 3
try:
    os.eventfd_read(event)
except BlockingIOError:
    pass
epoll.modify(pipe, select.EPOLLIN | select.EPOLLOUT)
epoll.unregister(pipe)
"""

WOKEN = """
import os, select, sys, threading
epoll = select.epoll()
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN)
def wake():
    sys.stdin.readline()
    os.write(other, b"x")
threading.Thread(target=wake).start()
print("ready", flush=True)
assert epoll.poll() == [(pipe, select.EPOLLIN)]
"""

MANY_READY = """
import os, select
epoll = select.epoll()
for _ in range(10):
    pipe, other = os.pipe()
    os.write(other, b"x")
    epoll.register(pipe, select.EPOLLIN)
assert len(epoll.poll(maxevents=4)) == 4
"""

MANY_GONE = """
import os, select
pipe, other = os.pipe()
for _ in range(300):
    epoll = select.epoll()
    epoll.register(pipe, select.EPOLLIN)
    epoll.close()
    event = os.eventfd(0)
    os.eventfd_write(event, 1)
    os.close(event)
"""


# Writes under signals with a handler.
INTERRUPTED = """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
event = os.eventfd(0, os.EFD_NONBLOCK)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for _ in range(10000):
    os.eventfd_write(event, 1)
signal.setitimer(signal.ITIMER_REAL, 0)
assert os.eventfd_read(event) == 10000
"""

# One write makes two items ready, and each wakes a thread; the first takes
# both events. A second write is for the other thread.
SPURIOUS = """
import os, select, sys, threading
epoll = select.epoll()
pipe, other = os.pipe()
for file in (pipe, os.dup(pipe)):
    epoll.register(file, select.EPOLLIN | select.EPOLLET)
threads = [threading.Thread(target=epoll.poll) for _ in range(2)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
os.write(other, b"x")
while all(thread.is_alive() for thread in threads):
    pass
print("one", flush=True)
sys.stdin.readline()
os.write(other, b"x")
for thread in threads:
    thread.join()
"""

# A blocked read, with a handler that has it made again.
RESTARTED = """
import os, signal
event = os.eventfd(0)
pipe, other = os.pipe()
os.set_blocking(other, False)
signal.set_wakeup_fd(other)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
if os.fork() == 0:
    for _ in range(3):
        os.read(pipe, 1)
    os.eventfd_write(event, 5)
    os._exit(0)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
assert os.eventfd_read(event) == 5
signal.setitimer(signal.ITIMER_REAL, 0)
os.wait()
"""


class Counts(Case):
    """Numbers, not times."""

    def counts(self, script):
        """The report at the end of the script."""
        result = self.run_it([EPEMU, "--stats=json", "-o", self.log, PYTHON,
                              "-c", script])
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, "", ""))
        reports = self.reports()
        self.assertEqual([report["kind"] for report in reports], ["exit"])
        self.assertTrue(reports[0]["complete"])
        return reports[0]

    def assert_has(self, found, **wanted):
        self.assertEqual({key: found[key] for key in wanted}, wanted)

    def test_known_calls(self):
        report = self.counts(KNOWN)
        calls = {call["name"]: (call["calls"], call["errors"])
                 for call in report["calls"] if call["calls"]}
        self.assertEqual(calls, {
            "epoll_create1": (1, 0), "epoll_ctl": (5, 1),
            "epoll_wait": (7, 0), "eventfd2": (1, 0),
            "read": (2, 1), "write": (3, 0)})
        self.assertEqual(len(report["epolls"]), 1)
        self.assert_has(
            report["epolls"][0], number=1, items_most=2, added=2, modified=1,
            deleted=1, waits=7, slept=1, events=5, delivering=5, timeouts=1,
            empty=1, interrupted=0, wakes=0, spurious=0, latency_count=0)
        self.assertEqual(len(report["eventfds"]), 1)
        self.assert_has(report["eventfds"][0], number=1, writes=3, reads=1,
                        coalesced=2)

    def test_counts_are_those_of_verbose(self):
        result = self.run_it([EPEMU, "-v", "--stats", "-o", self.log, PYTHON,
                              "-c", KNOWN])
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, "", ""))
        lines = [line.removeprefix("epemu: ")
                 for line in self.messages().splitlines()]
        table = lines.index(next(
            line for line in lines if line.startswith("statistics of")))
        verbose = {line.split()[0]: int(line.split()[1])
                   for line in lines[:table] if len(line.split()) in (2, 4)
                   and line.split()[1].isdigit()}
        stats = {line.split()[5]: int(line.split()[0])
                 for line in lines[table + 2:]
                 if len(line.split()) == 6 and line.split()[0].isdigit()}
        stats = {name: calls for name, calls in stats.items() if calls}
        self.assertEqual(stats["total"], 19)
        self.assertEqual(stats, verbose)
        self.assertTrue({"epoll#1", "epoll#1 (gone)"} & set(lines))
        for part in ("  items: at most 2 (added 2, modified 1, "
                     "deleted 1); longest ready list 1",
                     "  waits 7, slept 1, timed out 1, found nothing 1"):
            self.assertIn(part, lines)
        for line in lines:
            self.assertLessEqual(len("epemu: " + line), 80)

    def test_a_wake(self):
        process = self.start_script(WOKEN, "--stats=json")
        self.dump_with(process, "in epoll_wait")
        self.end(process)
        self.assert_has(
            self.reports()[-1]["epolls"][0], waits=1, slept=1, events=1,
            timeouts=0, wakes=1, spurious=0, latency_count=1)

    def test_calls_that_signals_cut_off_count_once(self):
        report = self.counts(INTERRUPTED)
        calls = {call["name"]: (call["calls"], call["errors"])
                 for call in report["calls"] if call["calls"]}
        self.assertEqual(calls, {
            "eventfd2": (1, 0), "read": (1, 0), "write": (10000, 0)})
        self.assert_has(report["eventfds"][0], writes=10000, reads=1)

    def test_a_read_that_is_made_again_counts_once(self):
        report = self.counts(RESTARTED)
        calls = {call["name"]: (call["calls"], call["errors"])
                 for call in report["calls"] if call["calls"]}
        self.assertEqual(calls, {
            "eventfd2": (1, 0), "read": (1, 0), "write": (1, 0)})

    def test_spurious_wakes(self):
        process = self.start_script(SPURIOUS, "--stats=json")
        self.dump_with(process, "2 waiters")
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "one\n")
        self.dump_with(process, "1 waiter")
        self.end(process)
        self.assert_has(
            self.reports()[-1]["epolls"][0], waits=2, slept=2, events=4,
            delivering=2, wakes=3, spurious=1, latency_count=2)

    def test_longest_ready_list(self):
        report = self.counts(MANY_READY)
        self.assert_has(report["epolls"][0], items_most=10, longest_ready=10,
                        waits=1, events=4, slept=0)

    def test_gone_objects_are_summed_up(self):
        report = self.counts(MANY_GONE)
        self.assertLessEqual(len(report["epolls"]), 100)
        self.assertEqual(
            len(report["epolls"]) + report["other_epolls"]["count"], 300)
        self.assertEqual(
            sum(epoll["added"] for epoll in report["epolls"]) +
            report["other_epolls"]["added"], 300)
        self.assertEqual(
            len(report["eventfds"]) + report["other_eventfds"]["count"], 300)
        self.assertEqual(
            sum(event["writes"] for event in report["eventfds"]) +
            report["other_eventfds"]["writes"], 300)

    def test_the_schema_refuses(self):
        report = self.counts(KNOWN)
        validator = self.validator()
        for path, value in ((("kind",), "other"), (("epolls",), {}),
                            (("state",), {"epolls": [], "eventfds": []}),
                            (("epolls", 0, "waits"), -1),
                            (("calls", 0, "more"), 1)):
            broken = copy.deepcopy(report)
            at = broken
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            self.assertFalse(validator.is_valid(broken), path)


class Calls32(Case):
    """32-bit calls are the kernel's, also while statistics are made."""

    PROGRAM = os.path.join(os.path.dirname(EPEMU), "../tests/stats/calls32")

    def setUp(self):
        super().setUp()
        if platform.machine() != "x86_64":
            self.skipTest("32-bit calls are made on x86-64")
        native = self.run_it([self.PROGRAM])
        if native.returncode in (77, -signal.SIGSEGV):
            self.lacks("the kernel has no 32-bit calls")
        self.assertEqual(
            (native.returncode, native.stdout, native.stderr),
            (0, "added 0 32\nown 1 32\nadded 0 64\ninherited 1 64\n", ""))

    def run_emulated(self, option):
        """The program has ended, and found a placeholder for an epoll."""
        result = self.run_it([EPEMU, option, "-o", self.log, self.PROGRAM])
        self.assertEqual(
            (result.returncode, result.stdout, result.stderr),
            (0, "added 0 32\nown 1 32\nadded 0 64\ninherited 1 0\n", ""),
            self.messages())
        self.assertEqual(
            self.messages().count("runs 32-bit code"), 1, self.messages())

    def test_json(self):
        self.run_emulated("--stats=json")
        report = self.reports()[-1]
        calls = {call["name"]: (call["calls"], call["errors"])
                 for call in report["calls"] if call["calls"]}
        self.assertEqual(report["kind"], "exit")
        self.assertEqual({name: calls.get(name) for name in
                          ("epoll_create1", "epoll_ctl", "eventfd2")},
                         {"epoll_create1": (1, 0), "epoll_ctl": (1, 0),
                          "eventfd2": (1, 0)})
        self.assertEqual(len(report["epolls"]), 1)

    def test_text(self):
        self.run_emulated("--stats")
        self.assertIn("epemu: statistics of ", self.messages())
        self.assertRegex(self.messages(), r"epoll#1\b")


class Output(Case):
    """Where it goes, and that the program does not notice."""

    def test_to_standard_error(self):
        result = self.run_it([EPEMU, "--stats", PYTHON, "-c", KNOWN])
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertTrue(result.stderr.splitlines())
        for line in result.stderr.splitlines():
            self.assertRegex(line, r"\Aepemu: ")

    def test_json_to_standard_error(self):
        result = self.run_it([EPEMU, "--stats=json", PYTHON, "-c", MANY_GONE])
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        with open(self.log, "w", encoding="utf-8") as file:
            file.write(result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertEqual(len(self.reports()), 1)

    def test_a_program_that_is_killed(self):
        result = self.run_it([EPEMU, "--stats=json", "-o", self.log, PYTHON,
                              "-c", KNOWN + "os.kill(os.getpid(), 9)"])
        self.assertEqual(result.returncode, -signal.SIGKILL)
        self.assertEqual(self.reports()[0]["epolls"][0]["waits"], 7)

    def test_a_full_disk(self):
        for form in ("text", "json"):
            result = self.run_it([EPEMU, f"--stats={form}", "-o", "/dev/full",
                                  PYTHON, "-c", KNOWN])
            self.assertEqual(
                (result.returncode, result.stdout, result.stderr),
                (0, "", ""))

    def test_a_closed_pipe(self):
        ours, its = os.pipe()
        os.close(ours)
        self.addCleanup(os.close, its)
        result = self.run_it([EPEMU, "--stats", PYTHON, "-c", KNOWN],
                             stderr=its)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_mistakes(self):
        for word in ("--stats=xml", "--stats-interval=soon",
                     "--stats-interval=0", "--stats-interval=nan",
                     "--warn-stall=-1", "--warn-stall=5s"):
            result = self.run_it([EPEMU, word, "true"])
            self.assertEqual(result.returncode, 125)
            self.assertRegex(result.stderr, r"\Aepemu: [^\n]+\n\Z")
            self.assertIn(word.split("=")[1], result.stderr)


main()
