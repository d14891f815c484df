#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recorded sequences: those of tokio and brush are kept here, and compare
and summarize say what is to be said."""

import os
import pathlib

from common import EPEMU, HERE, TraceCase, main

SETUP = "--trace-filter=call=epoll_create,epoll_create1,eventfd,eventfd2," \
        "epoll_ctl"
HEAD = "epemu-sequence 1\n"
A = HEAD + """\
p#1 epoll_create1(EPOLL_CLOEXEC) = epoll#1
p#1 epoll_ctl(epoll#1, EPOLL_CTL_ADD, pipe#1, EPOLLIN) = 0
p#1 epoll_ctl(epoll#1, EPOLL_CTL_ADD, pipe#2, EPOLLIN) = 0
p#2 epoll_wait(epoll#1, 16, -1) = [EPOLLIN pipe#1, EPOLLIN pipe#2]
p#1 epoll_ctl(epoll#1, EPOLL_CTL_DEL, pipe#1) = 0
"""


class Sequence(TraceCase):
    def file(self, name, text):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_text(text, encoding="utf-8")
        return path

    def recorded(self, argv, *options):
        path = os.path.join(self.folder, "sequence")
        native = self.run_it(argv)
        ours = self.run_it([EPEMU, f"--record={path}", *options, *argv])
        self.assertEqual((ours.returncode, ours.stdout, ours.stderr),
                         (native.returncode, native.stdout, native.stderr))
        return path

    def compared(self, *words, status=1):
        run = self.run_it([EPEMU, "compare", *words])
        self.assertEqual((run.returncode, run.stderr), (status, ""),
                         run.stdout)
        return run.stdout

    def test_brush(self):
        path = self.recorded(self.brush(), SETUP)
        self.compared("--any-thread", str(HERE / "sequences/brush.seq"),
                      path, status=0)

    def test_tokio(self):
        for kind in ("ct", "mt"):
            path = self.recorded(self.tokio("timers", kind), SETUP)
            self.compared(str(HERE / "sequences/tokio.seq"), path, status=0)

    def test_a_run_is_itself(self):
        path = self.recorded(self.program("busy", "3"))
        text = pathlib.Path(path).read_text(encoding="utf-8")
        self.assertEqual(
            text, HEAD + "python3#1 eventfd2(0, EFD_CLOEXEC) = eventfd#1\n" +
            "python3#1 write(eventfd#1, 1) = 8\n"
            "python3#1 read(eventfd#1) = 8\n" * 3)
        self.assertEqual(self.compared(path, path, status=0), "")

    def test_names(self):
        """A number that is used anew is another item."""
        code = ("import os, select\n"
                "e = select.epoll(); r, w = os.pipe(); e.register(r, 1)\n"
                "e.unregister(r); os.close(r); r, w = os.pipe()\n"
                "e.register(r, select.EPOLLIN | select.EPOLLONESHOT)\n"
                "os.write(w, b'x'); e.poll(5)")
        path = self.recorded(["python3", "-c", code])
        text = pathlib.Path(path).read_text(encoding="utf-8")
        self.assertIn("EPOLL_CTL_ADD, pipe#1, EPOLLIN) = 0", text)
        self.assertIn("EPOLL_CTL_DEL, pipe#1) = 0", text)
        self.assertIn("EPOLL_CTL_ADD, pipe#2, EPOLLIN|EPOLLONESHOT) = 0",
                      text)
        self.assertIn("timed) = [EPOLLIN pipe#2]", text)

    def differ(self, before, after):
        """What is said when one text of A is another."""
        self.assertIn(before, A)
        return self.compared(self.file("a", A), self.file(
            "b", A.replace(before, after)))

    def test_missing(self):
        line = "p#1 epoll_ctl(epoll#1, EPOLL_CTL_DEL, pipe#1) = 0\n"
        said = self.differ(line, "")
        self.assertEqual(
            said, "line 6, p#1: missing: "
            "epoll_ctl(epoll#1, EPOLL_CTL_DEL, pipe#1) = 0\n")

    def test_additional(self):
        line = "p#1 epoll_ctl(epoll#1, EPOLL_CTL_DEL, pipe#1) = 0\n"
        said = self.differ(line, line + line.replace("pipe#1", "pipe#2"))
        self.assertEqual(
            said, "line 7, p#1: additional: "
            "epoll_ctl(epoll#1, EPOLL_CTL_DEL, pipe#2) = 0\n")

    def test_other_flags(self):
        said = self.differ("pipe#2, EPOLLIN)", "pipe#2, EPOLLIN|EPOLLET)")
        self.assertRegex(said, r"^line 4, p#1: differs: .*EPOLLIN\) = 0\n"
                               r" +is now in line 4: .*EPOLLET\) = 0\n$")

    def test_other_result(self):
        said = self.differ("[EPOLLIN pipe#1, EPOLLIN pipe#2]",
                           "[EPOLLIN pipe#2, EPOLLIN pipe#1]")
        self.assertRegex(said, r"^line 5, p#2: differs: epoll_wait")

    def test_other_order(self):
        one, other = A.splitlines(True)[2:4]
        said = self.differ(one + other, other + one)
        self.assertEqual(said.count("other order: "), 1)
        self.assertEqual(said.count("\n"), 1)

    def test_other_threads(self):
        """The order between threads does not count."""
        lines = A.splitlines(True)
        moved = "".join(lines[:4] + lines[5:] + lines[4:5])
        a, b = self.file("a", A), self.file("b", moved)
        self.assertEqual(self.compared(a, b, status=0), "")
        self.assertIn("other order: ", self.compared("--any-thread", a, b))

    def test_summary(self):
        run = self.run_it([EPEMU, "summarize", self.file("a", A)])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout, """\
needs:
        1  epoll_create1(EPOLL_CLOEXEC) = epoll
        2  epoll_ctl(epoll, EPOLL_CTL_ADD, pipe, EPOLLIN) = 0
        1  epoll_ctl(epoll, EPOLL_CTL_DEL, pipe) = 0
        1  epoll_wait(epoll, 16, -1)
events delivered:
        2  EPOLLIN pipe
never: epoll_create, epoll_pwait, epoll_pwait2, eventfd, eventfd2, read, \
write, EPOLL_CTL_MOD, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLERR, EPOLLHUP, \
EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLWAKEUP, EFD_SEMAPHORE, \
EFD_NONBLOCK, a timeout above 0, a signal mask
""")

    def test_mistakes(self):
        good = self.file("good", A)
        for words, text in (
                (["compare"], "usage"), (["compare", good], "usage"),
                (["summarize"], "usage"),
                (["summarize", "/nonesuch"], "No such file"),
                (["compare", good, "/nonesuch"], "No such file"),
                (["summarize", self.file("bad", "no sequence\n")], "line 1 "),
                (["summarize", self.file("cut", HEAD + "p#1\n")], "line 2 ")):
            run = self.run_it([EPEMU, *words])
            self.assertEqual((run.returncode, run.stdout), (125, ""), words)
            self.assertRegex(run.stderr, rf"\Aepemu: .*{text}.*\n\Z")

    def test_full_disk(self):
        run = self.run_it([EPEMU, "--record=/dev/full",
                           *self.program("busy", "5")])
        self.assertEqual((run.returncode, run.stdout), (0, "done\n"))
        self.assertEqual(
            run.stderr, "epemu: cannot write the sequence to '/dev/full': No "
            "space left on device; the program goes on without it\n")


if __name__ == "__main__":
    main()
