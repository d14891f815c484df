# SPDX-License-Identifier: MIT
"""What is left for process 1, and what a shell had before it became epemu."""

import contextlib
import os
import re
import signal
import subprocess

from harness import (EPEMU, HERE, LIMIT_S, PYTHON, TestCase, main, read_file,
                     supervisor_of, wait_until)


# Has nine orphans, and ends when its parent has no children but those that it
# had before: not until the last of them was reaped.
ORPHANS = """
children=/proc/$PPID/task/$PPID/children
read before < $children
for i in 1 2 3 4 5 6 7 8; do (sleep 0 &); done
(setsid sleep 0 &)
# (There is no line feed at its end, which read calls a failure.)
until read now < $children; [ "$now" = "$before" ]; do sleep 0.05; done
"""


class Zombies(TestCase):
    """A process 1 that reaps nothing, as in many containers, keeps all that
    is left to it. Each run leaves as much as it does natively."""

    reaper = os.path.join(HERE, "reaper.py")

    def left_by(self, prefix, argv, how="end", count=20):
        result = self.run_it([PYTHON, self.reaper, how, str(count), *prefix,
                              *argv])
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_runs_that_end(self):
        for argv in (["true"], ["sh", "-c", "exit 3"],
                     ["sh", "-c", "kill -9 $$"],
                     # Its orphan ends before it, and nobody has waited.
                     ["sh", "-c", "exec 3>&1; (sh -c 'echo' | cat) & wait"]):
            native = self.left_by([], argv)
            self.assertRegex(native, r"\[-?\d+\] \[\]\n")
            for options in ([], ["--trace=/dev/null", "--stack"], ["-v"],
                            ["--stats=json", "--warn-stall=1"]):
                self.assertEqual(
                    self.left_by([EPEMU, *options], argv), native)

    def test_runs_that_cannot_start(self):
        self.assertEqual(self.left_by([EPEMU], ["/nonexistent"]), "[127] []\n")
        self.assertEqual(self.left_by([EPEMU, "--trace=/"], ["true"]),
                         "[125] []\n")

    def test_orphans_of_the_program(self):
        """They are adopted, and reaped, while the program runs."""
        if not os.path.exists("/proc/thread-self/children"):
            self.lacks("/proc does not tell of children")
        self.assertEqual(self.left_by([EPEMU], ["sh", "-c", ORPHANS]),
                         "[0] []\n")

    def test_supervisor_is_killed(self):
        script = ("(setsid sleep 1001 & setsid sleep 1002 &); sleep 1003 & "
                  "echo ready; exec sleep 1004")
        self.assertEqual(self.left_by([EPEMU], ["sh", "-c", script], "kill"),
                         "[125] []\n")


class Others(TestCase):
    """A shell's background jobs are still there when it has become epemu, as
    its children. They are none of the program's."""

    # A job with a child, one that has lost its parent, one that has a filter
    # of its own, and one that gets an orphan later on.
    shell = ("sleep 2001 & sh -c 'sleep 2002 & wait' & "
             "(setsid sleep 2003 &); "
             "sh -c 'read line < \"$0\"; (sleep 2004 &); sleep 2005' "
             "\"$1\" & "
             "shift; exec \"$@\"")

    def seconds(self):
        """Of the sleeps that run."""
        return sorted(int(match[1]) for match in (
            re.search(r"sleep\0(\d+)\0", read_file(f"/proc/{pid}/cmdline")
                      or "") for pid in self.marked()) if match)

    def run_shell(self, prefix, *argv):
        """The process that was the shell, when the jobs are there."""
        fifo = os.path.join(self.new_folder(), "fifo")
        os.mkfifo(fifo)
        process = self.start(["bash", "-c", self.shell, "bash", fifo,
                              *prefix, *argv], stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), "ready\n")
        with open(fifo, "w", encoding="ascii") as file:
            file.write("go\n")
        wait_until(lambda: self.seconds() == [*range(2001, 2006), 3001, 3002],
                   "all")
        return process

    def finish_others(self):
        def all_gone():
            left = self.marked()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left
        wait_until(all_gone, "the end of all")

    program = ["sh", "-c", "(setsid sleep 3002 &); echo ready; "
                           "exec sleep 3001"]

    def left_after(self, prefix, action):
        process = self.run_shell(prefix, *self.program)
        action(process)
        process.wait(LIMIT_S)
        wait_until(lambda: 3001 not in self.seconds(), "the program's end")
        left = self.seconds()
        self.finish_others()
        return left

    def test_program_is_ended(self):
        for prefix in self.ways():
            self.assertEqual(
                self.left_after(prefix, lambda process: process.terminate()),
                [*range(2001, 2006), 3002])

    def test_supervisor_is_killed(self):
        def kill(process):
            os.kill(supervisor_of(process.pid), signal.SIGKILL)
        self.assertEqual(self.left_after([EPEMU], kill),
                         [*range(2001, 2006)])

    def test_launcher_is_killed(self):
        process = self.run_shell([EPEMU], *self.program)
        process.kill()
        process.wait(LIMIT_S)
        wait_until(lambda: not {3001, 3002} & set(self.seconds()),
                   "the end of the program's processes")
        self.assertEqual(self.seconds(), [*range(2001, 2006)])
        self.finish_others()


if __name__ == "__main__":
    main()
