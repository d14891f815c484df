#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The trace as text."""

import os
import re
import signal
import subprocess

from common import CUT_OFF, EPEMU, PYTHON, TraceCase, main, wait_until

LINE = re.compile(
    r"^ *\d+\.\d{6} (?P<pid>\d+)(?:/(?P<tid>\d+))? (?P<thread>.*?)  "
    r"(?P<call>[a-z0-9_]+)\((?P<args>.*)\) = (?P<result>.*?) "
    r"<(?P<time>\d+ µs|\d+\.\d{3} ms|\d+\.\d{6} s)>(?P<notes>.*)$")


class Text(TraceCase):
    def lines(self, text):
        """The trace's lines, taken apart; each must be whole."""
        found = []
        for line in text.splitlines():
            match = LINE.match(line)
            self.assertTrue(match, line)
            found.append(match)
        return found

    def all_lines(self, argv):
        """The lines of a run, one for each call."""
        lines = self.lines(self.traced(argv))
        self.assert_all(line["call"] for line in lines
                        if not CUT_OFF.search(line[0]))
        return lines

    def test_brush(self):
        lines = self.all_lines(self.brush())
        self.assertEqual(lines[0]["call"], "epoll_create1")
        self.assertEqual(lines[0]["args"], "EPOLL_CLOEXEC")
        self.assertRegex(lines[0]["result"], r"^\d+<epoll#1>$")
        self.assertEqual(lines[1]["call"], "eventfd2")
        self.assertRegex(
            lines[2]["args"],
            r"^\d+<epoll#1>, EPOLL_CTL_ADD, \d+<eventfd#1>, "
            r"\{EPOLLIN\|EPOLLRDHUP\|EPOLLET, data=0x0\}$")
        self.assertTrue(any("[pidfd]> edge" in line["notes"]
                            for line in lines))

    def test_causes(self):
        lines = self.all_lines(self.program("causes"))
        notes = [line["notes"] for line in lines
                 if line["call"] == "epoll_wait"]
        self.assertRegex(notes[0], r"^ woken by eventfd#1 write in thread "
                                   r'\d+ "python3", .* ago$')
        self.assertRegex(notes[1], r"woken by \d+<pipe:\[\d+\] read> edge, ")
        self.assertEqual(notes[2], " woken by timeout")
        self.assertEqual(notes[3], " woken by SIGALRM")
        self.assertEqual(
            [line["result"] for line in lines if "SIGALRM" in line["notes"]],
            ["-1 EINTR"])
        reads = [line for line in lines if line["call"] == "read"]
        self.assertRegex(reads[1]["notes"],
                         r'^ woken by write in thread \d+ "python3", ')
        self.assertIn("{7}", reads[1]["args"])
        self.assertRegex(notes[-2],
                         r"^ woken by epoll_ctl in thread \d+ ")
        self.assertRegex(notes[-1], "; 1 left ready$")

    def test_64_threads(self):
        lines = self.all_lines(self.program("threads", "64"))
        waits = [line for line in lines if line["call"] == "epoll_wait"]
        self.assertEqual(len({line["tid"] for line in waits}), 64)
        self.assertEqual({line["result"] for line in waits}, {"1"})

    def test_200_children(self):
        lines = self.all_lines(self.program("forks", "200"))
        writes = [line for line in lines if line["call"] == "write"]
        self.assertEqual(len({line["pid"] for line in writes}), 200)
        for line in writes:
            self.assertIn("<eventfd#1 count=", line["args"])

    def test_killed_in_mid_call(self):
        path = os.path.join(self.folder, "trace")
        process = self.start([EPEMU, f"--trace={path}",
                              *self.program("asleep")])
        self.assertEqual(process.stdout.readline(), "asleep\n")
        with open(path, encoding="utf-8") as file:
            pid = int(self.lines(file.read())[0]["pid"])
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(process.wait(60), -signal.SIGKILL)
        with open(path, encoding="utf-8") as file:
            waits = [line for line in self.lines(file.read())
                     if line["call"] == "epoll_wait"]
        self.assertEqual([wait["result"] for wait in waits],
                         ["? (ended in it)"] * 2)
        for wait in waits:
            self.assertIn("<epoll#1>", wait["args"])

    def test_a_lost_wake(self):
        """The story of docs/tracing.md: the wake-up came, and nothing did."""
        path = os.path.join(self.folder, "trace")
        process = self.start([EPEMU, f"--trace={path}",
                              *self.tokio("answer-lost", "ct")])
        self.assertIn("no answer yet", process.stdout.readline())

        def lines():
            with open(path, encoding="utf-8") as file:
                return self.lines(file.read())

        def calls_after_the_answer():
            names = [(line["thread"], line["call"]) for line in lines()]
            if ("answerer", "write") not in names:
                return None
            return names[names.index(("answerer", "write")) + 1:]

        wait_until(calls_after_the_answer, "the wake-up")
        dump = wait_until(
            lambda: self.dump_of(process.pid, " in epoll_wait for "), "sleep")
        self.assertRegex(dump, r"epoll#1: 2 items, .* 1 waiter\n"
                               r"  item \d+<eventfd#1> .*\n"
                               r"  item \d+<socket:\[\d+\]> .*\n"
                               r"  thread .*, without a timeout\n")
        process.terminate()
        process.wait(60)
        self.assertEqual(calls_after_the_answer()[-1],
                         ("epemu-tokio", "epoll_wait"))
        self.assertEqual(lines()[-1]["result"], "? (ended in it)")

    def test_identity(self):
        """One epoll under other numbers and in a child."""
        code = ("import os, select; e = select.epoll(); v = os.eventfd(0)\n"
                "d = os.dup(v); os.eventfd_write(d, 1)\n"
                "if os.fork() == 0: os.eventfd_write(v, 1); os._exit(0)\n"
                "os.wait()")
        lines = self.lines(self.traced(["python3", "-c", code]))
        writes = [line for line in lines if line["call"] == "write"]
        self.assertEqual(
            [re.sub(r"^\d+", "", line["args"]) for line in writes],
            ["<eventfd#1 count=1>, {1}, 8", "<eventfd#1 count=2>, {1}, 8"])
        self.assertNotEqual(writes[0]["pid"], writes[1]["pid"])

    def test_standard_error(self):
        run = self.run_it([EPEMU, "--trace", *self.program("busy", "3")])
        self.assertEqual(run.stdout, "done\n")
        self.assertEqual([line["call"] for line in self.lines(run.stderr)],
                         ["eventfd2"] + ["write", "read"] * 3)

    def test_filter(self):
        lines = self.lines(self.traced(
            self.program("causes"), "--trace-filter=call=write,read",
            "--trace-filter=object=eventfd#1"))
        self.assertEqual({line["call"] for line in lines}, {"write", "read"})
        lines = self.traced(self.program("causes"),
                            "--trace-filter=process=nobody")
        self.assertEqual(lines, "")

    def test_since_exec(self):
        for name in ("first", "second"):
            os.symlink(PYTHON, os.path.join(self.folder, name))
        argv = ["sh", "-c", '"$1/first" "$2" busy 2; "$1/second" "$2" busy 2',
                "sh", self.folder, self.program()[1]]
        for name, count in (("first", 10), ("second", 5), ("third", 0)):
            lines = self.lines(
                self.traced(argv, f"--trace-since-exec={name}"))
            self.assertEqual(len(lines), count, name)

    def check_given_up(self, form, target, reason):
        """One message, and the program is unharmed. A pipe has no room for
        all of the trace, so that a reader that goes is always missed."""
        run = self.run_it([EPEMU, f"--trace={target}",
                           f"--trace-format={form}",
                           *self.program("busy", "500")])
        self.assertEqual((run.returncode, run.stdout), (0, "done\n"))
        self.assertEqual(
            run.stderr, f"epemu: cannot write the trace to '{target}': "
            f"{reason}; the program goes on without it\n")

    def test_names_that_are_no_text(self):
        """Bytes that are no UTF-8, control characters, ends of lines."""
        code = ("import ctypes, os, select\n"
                "epoll = select.epoll()\n"
                "for name in (b'\\xff\\xfeA', b'a\\nb\\x1b', b'\\xc2\\x9b1m',\n"
                "             b'\\xe2\\x80\\xa8x', b'\\xed\\xa0\\x80', b'\\xf0\\x9f',\n"
                "             '\u00e4\u20ac'.encode()):\n"
                "    ctypes.CDLL(None).prctl(15, name)\n"
                "    os.mkfifo(name)\n"
                "    fifo = os.open(name, os.O_RDWR)\n"
                "    epoll.register(fifo, select.EPOLLOUT)\n"
                "    os.unlink(name)\n"
                "    assert len(epoll.poll(1)) == 1\n"
                "    os.close(fifo)\n")
        for form in ("text", "json", "perfetto"):
            path = os.path.join(self.folder, "trace")
            run = self.run_it([EPEMU, f"--trace={path}",
                               f"--trace-format={form}", PYTHON, "-c", code],
                              cwd=self.folder)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            with open(path, "rb") as file:
                text = file.read().decode("utf-8")
            with self.subTest(form):
                self.assertEqual(len(text.splitlines()), text.count("\n"))
                self.assertEqual([c for c in text if ord(c) < 32 and
                                  c not in "\n\t" or
                                  127 <= ord(c) < 160], [])
                self.assertIn("\u00e4\u20ac", text)

    def test_full_disk(self):
        for form in ("text", "json", "perfetto"):
            with self.subTest(form):
                self.check_given_up(form, "/dev/full",
                                    "No space left on device")

    def test_closed_pipe(self):
        for form in ("text", "json", "perfetto"):
            with self.subTest(form):
                path = os.path.join(self.folder, form)
                os.mkfifo(path)
                with subprocess.Popen(["head", "-n", "3", path],
                                      stdout=subprocess.DEVNULL):
                    self.check_given_up(form, path, "Broken pipe")

    def test_mistakes(self):
        for options, text in (
                (["--trace-format=json"], "takes --trace as well"),
                (["--trace-filter=call=read"], "takes --trace or --record"),
                (["--trace-since-exec=sh"], "takes --trace or --record"),
                (["--trace", "--trace-format=xml"], "text, json or perfetto"),
                (["--trace", "--trace-filter=read"], "takes call=NAME"),
                (["--trace", "--trace-filter=call="], "takes call=NAME"),
                (["--record"], "no PROGRAM")):
            run = self.run_it([EPEMU, *options, "true"])
            self.assertEqual(run.returncode, 125, options)
            self.assertRegex(run.stderr, rf"\Aepemu: .*{text}.*\n\Z")

    def test_standard_error_is_closed(self):
        run = self.run_it(["sh", "-c", '"$0" --trace true 2>&-', EPEMU])
        self.assertEqual(run.returncode, 125)

    def test_cannot_open(self):
        run = self.run_it([EPEMU, "--trace=/nonesuch/trace", "true"])
        self.assertEqual(run.returncode, 125)
        self.assertIn("cannot write '/nonesuch/trace'", run.stderr)


if __name__ == "__main__":
    main()
