# SPDX-License-Identifier: MIT
"""What the trace tests share: a run of a program with a trace of it."""

import collections
import os
import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/launcher"))

from harness import (EPEMU, PYTHON, TestCase, main,  # noqa: E402
                     wait_until)

PROGRAMS = str(HERE / "programs.py")
CACHE = pathlib.Path(os.environ.get("EPEMU_CACHE", os.path.join(
    os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
    "epemu")))
SCRIPT = 'printf "b\\na\\n" | sort; sleep 0.1 & wait; echo done'

__all__ = ["CACHE", "CUT_OFF", "EPEMU", "HERE", "PYTHON", "ROOT", "SCRIPT",
           "TraceCase", "main", "wait_until"]

# A call of the text trace that got no answer.
CUT_OFF = re.compile(r" = (\? \(ended in it\)|\? ERESTARTSYS|"
                     r"-1 EINTR .* woken by (a signal|SIG))")


class TraceCase(TestCase):
    """Runs programs under epemu and reads what was traced."""

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    @staticmethod
    def program(*words):
        """The command line of one of our programs."""
        return [PYTHON, PROGRAMS, *words]

    def brush(self):
        """A run of brush; skips without it."""
        path = CACHE / "bin/brush"
        if not path.exists():
            self.lacks("brush is not built")
        return [str(path), "-c", SCRIPT]

    def tokio(self, *words):
        """A run of the tokio programs; skips without them."""
        path = CACHE / "bin/epemu-tokio"
        if not path.exists():
            self.lacks("the tokio programs are not built")
        return [str(path), *words]

    def dump_of(self, pid, part):
        """The state, once it has `part` in it."""
        run = self.run_it([EPEMU, f"--dump={pid}"])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout if part in run.stdout else None

    def traced(self, argv, *options, status=0):
        """Traces a run to its end; the text of the trace. Natively first:
        output and status must not differ. The calls that were answered are in
        self.answered, by name."""
        path = os.path.join(self.folder, "trace")
        log = os.path.join(self.folder, "log")
        native = self.run_it(argv)
        self.assertEqual(native.returncode, status, native.stderr)
        ours = self.run_it([EPEMU, "-v", "-o", log, f"--trace={path}",
                            *options, *argv])
        self.assertEqual((ours.returncode, ours.stdout, ours.stderr),
                         (native.returncode, native.stdout, native.stderr))
        with open(log, encoding="utf-8") as file:
            self.answered = {
                match[1]: int(match[2]) for match in re.finditer(
                    r"^epemu: ([a-z0-9_]+) (\d+)(?: \(\d+ failed\))?$",
                    file.read(), re.MULTILINE)}
        self.assertEqual(self.answered.pop("total"),
                         sum(self.answered.values()))
        with open(path, encoding="utf-8") as file:
            return file.read()

    def assert_all(self, names):
        """Every call that was answered is in the trace, and only once; those
        that signals or the end cut off were left out of `names`."""
        self.assertEqual(dict(collections.Counter(names)), self.answered)
