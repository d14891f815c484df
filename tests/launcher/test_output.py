# SPDX-License-Identifier: MIT
"""Outputs that take nothing: nobody waits for whoever reads them.

A trace, a record, messages and statistics go to pipes, terminals and sockets
whose readers sleep, for a while or for ever. The program goes on, epemu ends
with it or by a signal, and what was dropped is counted.
"""

import collections
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import time
import tty

from harness import EPEMU, LIMIT_S, PYTHON, TestCase, main, wait_until

CALLS = 30000
# Makes calls, far more than any pipe and epemu itself keep of them, says so,
# and goes on when it is told to.
BUSY = ("import os, select, sys\n"
        "epoll = select.epoll()\n"
        f"for _ in range({CALLS}):\n"
        "    epoll.poll(0)\n"
        "print('done', flush=True)\n"
        "sys.stdin.readline()\n"
        "sys.exit(7)\n")
# Never stops making them.
ENDLESS = ("import select\n"
           "epoll = select.epoll()\n"
           "print('ready', flush=True)\n"
           "while True:\n"
           "    epoll.poll(0)\n")


def read_all(fd):
    """All that is there and comes, until the last writer is gone."""
    text = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # a terminal's way to say so
            return text
        if not piece:
            return text
        text += piece


class Ends(TestCase):
    """What the reader's end is: a pipe, a terminal or a socket."""

    def setUp(self):
        super().setUp()
        self.folder = self.new_folder()
        self.fifo = os.path.join(self.folder, "fifo")
        self.log = os.path.join(self.folder, "log")

    def make_fifo(self):
        """The reader's end of self.fifo."""
        os.mkfifo(self.fifo)
        fd = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(fd, True)
        self.addCleanup(os.close, fd)
        return fd

    def ends(self):
        """(kind, reader's end, writer's end)"""
        yield ("pipe", *os.pipe())
        one, two = socket.socketpair()
        yield ("socket", one.detach(), two.detach())
        one, two = pty.openpty()
        tty.setraw(two)
        yield ("terminal", one, two)

    def ends_by(self, process, number):
        process.send_signal(number)
        self.assertEqual(process.wait(LIMIT_S), -number)
        wait_until(lambda: not self.marked(), "the end of all")

    def answered(self):
        """How many calls were, by the log."""
        with open(self.log, encoding="utf-8") as file:
            return int(re.search(r"^epemu: total (\d+)$", file.read(),
                                 re.M)[1])


class Stuck(Ends):
    """Readers that never read."""

    def start_endless(self, *options, **more):
        process = self.start([EPEMU, *options, PYTHON, "-c", ENDLESS], **more)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_trace_and_record(self):
        self.make_fifo()
        for option in ("--trace", "--record", "--stats=json"):
            option += f"={self.fifo}" if "=" not in option else ""
            more = () if self.fifo in option else \
                ("--stats-interval=0.01", "-o", self.fifo)
            for number in (signal.SIGTERM, signal.SIGKILL):
                with self.subTest(option=option, number=number):
                    process = self.start_endless(option, *more)
                    # What it did in a second would fill any pipe.
                    self.wait_for_calls(process, CALLS)
                    self.ends_by(process, number)

    def wait_for_calls(self, process, count):
        """Until the program has made so many: it was not stopped."""
        def enough():
            run = self.run_it([EPEMU, f"--dump={process.pid}"])
            self.assertEqual(run.returncode, 0, run.stderr)
            return True
        enough()
        program = [pid for pid, what in self.marked().items()
                   if what.startswith("python3")][0]
        before = self.switches(program)
        wait_until(lambda: self.switches(program) - before > count / 10,
                   "a program that goes on")

    @staticmethod
    def switches(pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                                 file.read(), re.M)[1])

    def test_standard_error(self):
        for kind, reader, writer in self.ends():
            for options in (("--trace",),
                            ("-v", "--stats", "--stats-interval=0.001")):
                for number in (signal.SIGTERM, signal.SIGKILL):
                    with self.subTest(kind=kind, options=options,
                                      number=number):
                        process = self.start_endless(*options, stderr=writer)
                        self.wait_for_calls(process, CALLS)
                        self.ends_by(process, number)
            os.close(reader)
            os.close(writer)

    def test_status(self):
        """The program ends by itself: its status is epemu's."""
        for kind, reader, writer in self.ends():
            for options in (("--trace",),
                            ("-v", "--stats", "--stats-interval=0.001")):
                with self.subTest(kind=kind, options=options):
                    result = self.run_it([EPEMU, *options, PYTHON, "-c", BUSY],
                                         stderr=writer)
                    self.assertEqual(result.returncode, 7)
            os.close(reader)
            os.close(writer)

    def test_full_before(self):
        """A pipe that was full when epemu started; its own messages alone."""
        for argv, status in ((["sh", "-c", "exit 3"], 3),
                             (["/nonexistent"], 127)):
            for kind, reader, writer in self.ends():
                os.set_blocking(writer, False)
                try:
                    while True:
                        os.write(writer, b"x" * 256)
                except BlockingIOError:
                    pass
                os.set_blocking(writer, True)
                with self.subTest(kind=kind, argv=argv):
                    result = self.run_it([EPEMU, "-v", *argv], stderr=writer)
                    self.assertEqual(result.returncode, status)
                os.close(reader)
                os.close(writer)

    def test_signals_are_passed_on(self):
        """The launcher process itself is not held up by its messages."""
        reader, writer = os.pipe()
        script = ("trap 'echo got' USR2; echo ready; "
                  "while :; do sleep 0.01; done")
        process = self.start([EPEMU, "--stats", "--stats-interval=0.001",
                              "sh", "-c", script], stderr=writer)
        self.assertEqual(process.stdout.readline(), "ready\n")
        wait_until(lambda: available(reader) > 60000, "a full pipe")
        for _ in range(20):
            process.send_signal(signal.SIGUSR2)
            self.assertEqual(process.stdout.readline(), "got\n")
        self.ends_by(process, signal.SIGTERM)
        os.close(reader)
        os.close(writer)


def available(fd):
    """How many bytes can be read."""
    size = bytearray(4)
    fcntl.ioctl(fd, 0x541B, size)  # FIONREAD
    return int.from_bytes(size, "little")


class Slow(Ends):
    """Readers that read on, but only after a time."""

    def start_slow(self, *options, **more):
        """A run of BUSY that has made its calls and waits."""
        process = self.start([EPEMU, "-v", "-o", self.log, *options,
                              PYTHON, "-c", BUSY], stdin=-1, **more)
        self.assertEqual(process.stdout.readline(), "done\n")
        return process

    def read_slow(self, process, reader):
        """What was written, read from now on."""
        process.stdin.close()
        process.stdin = None
        text = read_all(reader)
        self.assertEqual(process.wait(LIMIT_S), 7)
        return text.decode()

    def check_message(self, lost, what):
        """One line says it at the end."""
        with open(self.log, encoding="utf-8") as file:
            lines = [line for line in file if "lost" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], rf"^epemu: {lost} records of the {what} "
                                   r"to '.*' were lost: its reader was too "
                                   r"slow\n$")

    def check_text(self, text):
        """A text trace that lacks some lines, but no part of any."""
        lines = text.splitlines()
        match = re.fullmatch(r"# (\d+) records lost: the reader was too slow",
                             lines.pop())
        self.assertTrue(match, text[-200:])
        for line in lines:
            self.assertRegex(line, r"^ *\d+\.\d{6} \d+ python3\S*  \w+\(.*>$")
        self.assertGreater(int(match[1]), 1000)
        self.assertEqual(len(lines) + int(match[1]), self.answered())
        self.check_message(int(match[1]), "trace")

    def test_fifo(self):
        reader = self.make_fifo()
        process = self.start_slow(f"--trace={self.fifo}")
        self.check_text(self.read_slow(process, reader))

    def test_standard_error(self):
        for kind, reader, writer in self.ends():
            with self.subTest(kind=kind):
                process = self.start_slow("--trace", stderr=writer)
                # It is others' as well, and stays as it is for them.
                self.assertTrue(os.get_blocking(writer))
                os.close(writer)
                self.check_text(self.read_slow(process, reader))
                os.close(reader)

    def test_another_users_pipe(self):
        """One that cannot be opened anew."""
        if os.geteuid() != 0:
            self.lacks("not root")
        os.chmod(self.folder, 0o777)
        epemu = shutil.copy(EPEMU, self.folder)
        reader, writer = os.pipe()
        process = self.start(
            [epemu, "-v", "-o", self.log, "--trace", "/usr/bin/python3", "-c",
             BUSY], stdin=-1, stderr=writer, user=65534, group=65534,
            extra_groups=[])
        self.assertEqual(process.stdout.readline(), "done\n")
        os.close(writer)
        self.check_text(self.read_slow(process, reader))
        os.close(reader)

    def test_json(self):
        reader = self.make_fifo()
        process = self.start_slow(f"--trace={self.fifo}",
                                  "--trace-format=json")
        lines = [json.loads(line) for line in
                 self.read_slow(process, reader).splitlines()]
        kinds = collections.Counter(line["type"] for line in lines)
        end = lines[-1]
        self.assertEqual((kinds["start"], kinds["end"], end["type"]),
                         (1, 1, "end"))
        self.assertEqual(end["calls"], self.answered())
        self.assertEqual(end["lost"] + kinds["call"], end["calls"])
        self.check_message(end["lost"], "trace")

    def test_perfetto(self):
        reader = self.make_fifo()
        process = self.start_slow(f"--trace={self.fifo}",
                                  "--trace-format=perfetto")
        events = json.loads(self.read_slow(process, reader))
        lost = [event["args"]["events"] for event in events
                if event["name"] == "epemu_lost"]
        self.assertEqual(len(lost), 1)
        calls = sum(event["ph"] == "X" for event in events)
        self.assertLess(calls, self.answered())
        self.check_message(lost[0], "trace")

    def test_record(self):
        reader = self.make_fifo()
        process = self.start_slow(f"--record={self.fifo}")
        text = self.read_slow(process, reader)
        lost = int(re.search(r"^# (\d+) records lost", text, re.M)[1])
        lines = [line for line in text.splitlines()[1:] if line[0] != "#"]
        self.assertEqual(len(lines) + lost, self.answered())
        self.check_message(lost, "sequence")
        path = os.path.join(self.folder, "sequence")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        # It is not called the same as anything, not even as itself.
        result = self.run_it([EPEMU, "compare", path, path])
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout,
                         f"'{path}' lacks {lost} calls, which its recording "
                         "lost\n" * 2)
        result = self.run_it([EPEMU, "summarize", path])
        self.assertEqual(result.returncode, 0)
        self.assertIn(f"{lost} calls are missing", result.stdout)

    def test_statistics(self):
        """JSON is dropped line by line; messages are counted."""
        many = "import select; them = [select.epoll() for _ in range(300)]\n"
        for options in (("--stats=json",), ("--stats",)):
            reader, writer = os.pipe()
            process = self.start(
                [EPEMU, *options, "--stats-interval=0.01", PYTHON, "-c",
                 many + BUSY], stdin=-1, stderr=writer)
            self.assertEqual(process.stdout.readline(), "done\n")
            os.close(writer)
            self.wait_for_limit(process.pid)
            lines = self.read_slow(process, reader).splitlines()
            os.close(reader)
            # On a busy machine the process epemu may get no processor for so
            # long that its supervisor keeps no more lines for it.
            lines = [line for line in lines if not re.match(
                r"epemu: \d+ messages were lost while epemu did not run$", line)]
            last = [line for line in lines if "messages were lost" in line]
            self.assertEqual(last, lines[-1:])
            self.assertRegex(last[0], r"^epemu: \d+ messages were lost: their "
                                      r"reader was too slow$")
            for line in lines[:-1]:
                if "json" in options[0]:
                    json.loads(line)
                else:
                    self.assertRegex(line, r"^epemu: ")

    @staticmethod
    def wait_for_limit(pid):
        """Until the launcher process keeps so much that it grows no more."""
        sizes = [0]

        def grows_no_more():
            time.sleep(0.1)
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                sizes.append(int(re.search(r"^VmRSS:\s*(\d+)", file.read(),
                                           re.M)[1]))
            return len(sizes) > 10 and sizes[-10] == sizes[-1] > 2000
        wait_until(grows_no_more, "much kept")


class Fifo(Ends):
    """A FIFO that nobody has opened for reading."""

    def test_signals_end_it(self):
        os.mkfifo(self.fifo)
        for option in (f"--trace={self.fifo}", f"--record={self.fifo}",
                       f"-o{self.fifo}"):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(option=option, number=number):
                    process = self.start([EPEMU, option, "echo", "started"])
                    wait_until(lambda: self.sleeps_in_open(process.pid),
                               "an open that waits")
                    self.ends_by(process, number)
                    self.assertEqual(process.stdout.read(), "")

    @staticmethod
    def sleeps_in_open(pid):
        with open(f"/proc/{pid}/wchan", encoding="utf-8") as file:
            wchan = file.read()
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        return state == "S" and ("fifo" in wchan or "partner" in wchan or
                                 wchan == "0")

    def test_reader_comes_later(self):
        os.mkfifo(self.fifo)
        process = self.start([EPEMU, f"--trace={self.fifo}", PYTHON, "-c",
                              "import select; select.epoll().poll(0)"])
        with open(self.fifo, encoding="utf-8") as file:
            self.assertIn("epoll_wait", file.read())
        self.assertEqual(process.wait(LIMIT_S), 0)

    def test_reader_that_leaves(self):
        reader = self.make_fifo()
        process = self.start([EPEMU, "-o", self.log, f"--trace={self.fifo}",
                              PYTHON, "-c", BUSY], stdin=-1)
        wait_until(lambda: available(reader), "something to read")
        other = os.open(os.devnull, os.O_RDONLY)
        os.dup2(other, reader)
        os.close(other)
        self.assertEqual(process.stdout.readline(), "done\n")
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(LIMIT_S), 7)
        with open(self.log, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"\Aepemu: cannot write the trace "
                                          r"to '[^\n]*': Broken pipe;[^\n]*"
                                          r"\n\Z")


if __name__ == "__main__":
    main()
