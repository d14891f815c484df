# SPDX-License-Identifier: MIT
"""Drives an interactive program on a pseudo-terminal.

    with Pty(["bash", "--norc", "-i"]) as pty:
        pty.expect(r"\\$ $")
        pty.send("sleep 100\\n")
        pty.send(CTRL_Z)
        pty.expect("Stopped")
        status = pty.end()

Nothing here sleeps for a guess of time: every step waits for text, a state or
an end, and fails with the whole transcript when that does not come within a
generous limit. Python's own library is all it needs.
"""

import errno
import fcntl
import os
import pty as _pty
import re
import select
import signal
import struct
import termios
import time

LIMIT_S = 60
CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x04", "\x1a", "\x1c"


class PtyError(AssertionError):
    """What was waited for did not come."""


class Pty:
    """A program that leads a session of its own on a new terminal.

    `env` replaces the environment; `rows` and `columns` are the window's.
    Used as a context manager it ends, at the latest, with the block.
    """

    def __init__(self, argv, env=None, cwd=None, rows=24, columns=80):
        self.text = ""  # all that the terminal showed
        self.seen = 0  # how much of it expect() went past
        self.status = None  # as of waitpid(), once it ended
        self.pid, self.master = _pty.fork()
        if self.pid == 0:
            self._exec(argv, env, cwd, rows, columns)
        os.set_blocking(self.master, False)

    @staticmethod
    def _exec(argv, env, cwd, rows, columns):
        try:
            set_size(0, rows, columns)
            # Python ignores these two; the program shall not inherit that.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            if cwd:
                os.chdir(cwd)
            os.execvpe(argv[0], argv, os.environ if env is None else env)
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
        os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, limit_s):
        """Takes what the terminal shows. False at its end."""
        if self.master < 0:
            return False
        if not select.select([self.master], [], [], limit_s)[0]:
            return True
        try:
            more = os.read(self.master, 65536)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return True
            if error.errno != errno.EIO:
                raise
            more = b""
        self.text += more.decode(errors="replace")
        return bool(more)

    def _fail(self, what):
        raise PtyError(f"{what}; the terminal showed:\n{self.text}"
                       f"\n(unmatched: {self.text[self.seen:]!r})")

    def expect(self, pattern, limit_s=LIMIT_S):
        """Waits for text that matches `pattern` beyond what was expected
        before; returns the match."""
        deadline = time.monotonic() + limit_s
        while True:
            match = re.compile(pattern, re.S).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            rest = deadline - time.monotonic()
            if rest <= 0:
                self._fail(f"no {pattern!r} within {limit_s} s")
            if not self._read(rest):
                self._fail(f"no {pattern!r} before the end")

    def send(self, text):
        """Types `text`."""
        data = text.encode()
        while data:
            select.select([], [self.master], [], LIMIT_S)
            data = data[os.write(self.master, data):]

    def resize(self, rows, columns):
        """Changes the window's size: the foreground group gets SIGWINCH."""
        set_size(self.master, rows, columns)

    def foreground(self):
        """The terminal's foreground process group."""
        return struct.unpack("i", fcntl.ioctl(
            self.master, termios.TIOCGPGRP, struct.pack("i", 0)))[0]

    def hang_up(self):
        """Takes the terminal away, as closing its window does."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def end(self, limit_s=LIMIT_S):
        """Waits for the program's end. Returns its exit status, negative for
        a signal; what it showed last is in `text`."""
        deadline = time.monotonic() + limit_s
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                self._fail(f"no end within {limit_s} s")
            elif not self._read(0.05):
                time.sleep(0.01)
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            if not self._read(0):
                break
        return self.status

    def close(self):
        """Ends whatever is left of the session."""
        self.hang_up()
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.status = os.waitstatus_to_exitcode(
                os.waitpid(self.pid, 0)[1])


def set_size(fd, rows, columns):
    """Sets the window size of the terminal that `fd` is open on."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ,
                struct.pack("HHHH", rows, columns, 0, 0))
