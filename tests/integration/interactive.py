#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Types at an interactive brush on a terminal of its own.

    interactive.py direct|job [EPEMU [OPTION...] --] BRUSH

"direct": the command leads the terminal's session, as in a terminal window.
"job": a person starts it from another shell, bash, as a job. Printed is what
the steps came to, without what a terminal shows at different moments.
"""

import os
import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent
                       / "launcher"))

from ptyrun import CTRL_C, CTRL_D, CTRL_Z, Pty  # noqa: E402

PROMPT = "ready> "
OPTIONS = ["--norc", "--noprofile", "--no-config", "-i", "--disable-color",
           "--input-backend=minimal", "--disable-bracketed-paste"]


class Session:
    """A shell at the other end of a terminal."""

    def __init__(self, pty):
        self.pty = pty

    def prompt(self):
        """What was shown until the shell asked for the next command."""
        match = self.pty.expect(r"(.*?)" + re.escape(PROMPT))
        return match[1].replace("\r", "\n")

    def command(self, text):
        """The lines that a command prints."""
        self.pty.send(text + "\n")
        lines = [line for line in self.prompt().split("\n") if line]
        # The first line is what was typed.
        return lines[1:]

    def start(self, text, pattern):
        """Starts a command that goes on; waits for a sign of it."""
        self.pty.send(text + "\n")
        self.pty.expect(pattern)
        self.rest()

    def rest(self):
        """Waits until the shell waits for the command.

        brush listens for the change of a child's state only some time after
        the child runs, and misses a stop that comes before.
        """
        quiet, before = 0, None
        while quiet < 5:
            time.sleep(0.02)
            now = shell_times(os.getsid(self.pty.pid))
            quiet = quiet + 1 if now == before else 0
            before = now

    def key(self, key):
        """A key that brings the prompt back."""
        self.pty.send(key)
        return self.prompt()


def read(*path):
    """A file below /proc, empty when it has gone."""
    try:
        return pathlib.Path("/proc", *path).read_text()
    except OSError:
        return ""


def shell_times(session):
    """What the threads of a session's brush have used of the processor."""
    times = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        name, _, rest = read(pid, "stat").partition(") ")
        if not name.endswith("(brush") or int(rest.split()[3]) != session:
            continue
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            times[thread] = read(pid, "task", thread, "schedstat")
    return times


def report(name, value):
    print(f"{name}: {value}", flush=True)


def use(shell):
    """What a person does in a shell."""
    report("arithmetic", shell.command("echo $((6 * 7))"))
    report("pipeline", shell.command("seq 10 | tac | head -n 2"))
    report("size", shell.command("stty size"))
    shell.pty.resize(33, 101)
    report("resized", shell.command("stty size"))
    # A sign that the program runs, not the shell that reads the line.
    shell.start("sh -c 'echo up$((1 + 1)); exec sleep 1000'", "up2")
    report("suspended", "Stopped" in shell.key(CTRL_Z))
    report("jobs", ["Stopped" in line for line in shell.command("jobs")])
    shell.command("bg")
    report("jobs", ["Running" in line for line in shell.command("jobs")])
    shell.start("fg", "exec sleep")
    shell.pty.expect("")
    shell.key(CTRL_C)
    report("interrupted", shell.command("echo $?"))
    shell.start("cat", "cat\r\n")
    shell.start("typed in", "typed in\r\ntyped in")
    shell.key(CTRL_D)
    report("end of file", shell.command("echo $?"))
    shell.start("sh -c 'trap \"echo sized\" WINCH; echo up$((1 + 2)); "
                "while :; do sleep 0.05; done'", "up3")
    shell.pty.resize(44, 99)
    shell.pty.expect("sized")
    report("told of the size", True)
    shell.key(CTRL_C)
    report("still there", shell.command("echo yes"))


def main():
    way, command = sys.argv[1], [*sys.argv[2:], *OPTIONS]
    env = dict(os.environ, PS1=PROMPT, TERM="dumb")
    if way == "direct":
        with Pty(command, env=env) as pty:
            shell = Session(pty)
            shell.prompt()
            use(shell)
            pty.send("exit 9\n")
            report("ended", pty.end())
        return
    with Pty(["bash", "--norc", "--noprofile", "-i"], columns=300,
             env=dict(env, PS1="outer> ", INNER=PROMPT)) as pty:
        pty.expect("outer> ")
        shell = Session(pty)
        pty.send("PS1=$INNER " + " ".join(command) + "\n")
        shell.prompt()
        use(shell)
        pty.send("exit 9\n")
        pty.expect("outer> ")
        pty.send("echo status $?\n")
        report("ended", pty.expect(r"status (\d+)\r")[1])
        pty.send("exit\n")
        pty.end()


if __name__ == "__main__":
    main()
