# SPDX-License-Identifier: MIT
"""Job control: bash on a pseudo-terminal with the program as its job.

Each script of steps runs natively first; the user at the terminal must not
see a difference.
"""

import os
import signal

from harness import (PYTHON, TestCase, children, is_gone, is_stopped,
                     main, program_of, stat_of, state, wait_until)
from ptyrun import CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_Z, Pty

PROMPT = r"%% $"


class Terminal(TestCase):
    """Shared: a bash with an easy prompt."""

    def setUp(self):
        super().setUp()
        self.folder = self.new_folder()

    def shell(self, prefix):
        # Job notices at once, no history, no escape sequences.
        env = dict(self.env, PS1="%% ", TERM="dumb", HISTFILE="",
                   BASH_SILENCE_DEPRECATION_WARNING="1",
                   RUN=" ".join(prefix))
        pty = Pty(["bash", "--norc", "--noprofile", "--noediting", "-i"], env)
        self.addCleanup(pty.close)
        pty.expect(PROMPT)
        return pty

    def job(self, pty):
        """The shell's child: the job as the shell knows it."""
        return wait_until(
            lambda: [pid for pid in children(pty.pid)
                     if stat_of(pid) and stat_of(pid)[3] == pid],
            "a job")[0]

    def program(self, pty, prefix, name="sleep"):
        """The program's pid, once it runs and has the name."""
        job = self.job(pty)
        pid = program_of(job) if prefix else job
        wait_until(lambda: (stat_of(pid) or "?")[0] == name, name)
        wait_until(lambda: state(pid) in ("S", "T"), "it to sleep")
        return pid

    def notice(self, pty, word):
        """Waits for the shell's word of a job: before some prompt."""
        def ask():
            # A child of its own has bash look for all that have ended; by
            # SIGCHLD alone it misses one that was continued and killed.
            pty.send("/bin/true\n")
            pty.expect(PROMPT)
            return word in pty.text
        try:
            wait_until(ask, word)
        except AssertionError as error:
            raise AssertionError(pty.text) from error

    def leave(self, pty):
        pty.send("exit 0\n")
        self.assertEqual(pty.end(), 0)


class Keys(Terminal):
    """Ctrl-C, Ctrl-\\ and Ctrl-Z."""

    def test_interrupt(self):
        for prefix in self.ways():
            for key, status in ((CTRL_C, 130), (CTRL_BACKSLASH, 131)):
                pty = self.shell(prefix)
                pty.send("ulimit -c 0; $RUN sleep 1000\n")
                self.program(pty, prefix)
                pty.send(key)
                pty.expect(PROMPT)
                pty.send("echo status $?.\n")
                pty.expect(rf"status {status}\.\r\n%% ")
                self.leave(pty)

    def test_interrupt_that_is_handled(self):
        """The handler runs once, and epemu does not end before."""
        script = "trap 'echo got it' INT; echo ready; read x; read x; echo $x"
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send(f"$RUN bash -c \"{script.replace('$', chr(92) + '$')}\"\n")
            pty.expect("ready\r\n")
            self.program(pty, prefix, "bash")
            pty.send(CTRL_C)
            pty.expect("got it\r\n")
            pty.send("one\ntwo\n")
            shown = pty.expect(r"(.*)%% $").group(1)
            self.assertNotIn("got it", shown)
            self.leave(pty)

    def test_suspend_and_resume(self):
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("$RUN sleep 1000\n")
            program = self.program(pty, prefix)
            for _ in range(3):
                pty.send(CTRL_Z)
                pty.expect(r"Stopped .*sleep 1000\r\n%% $")
                self.assertTrue(is_stopped(program))
                pty.send("fg\n")
                pty.expect(r"sleep 1000\r\n")
                wait_until(lambda: not is_stopped(program), "a go")
            pty.send(CTRL_Z)
            pty.expect(r"Stopped .*%% $")
            pty.send("bg\n")
            pty.expect(r"sleep 1000 &\r\n%% $")
            wait_until(lambda: not is_stopped(program), "a go")
            pty.send("jobs\n")
            pty.expect(r"Running .*%% $")
            pty.send("fg\n")
            pty.expect(r"sleep 1000\r\n")
            wait_until(lambda: pty.foreground() != pty.pid, "the terminal")
            pty.send(CTRL_C)
            pty.expect(PROMPT)
            self.assertTrue(is_gone(program))
            self.leave(pty)

    def test_suspend_a_group(self):
        """The program's children stop and go on with it."""
        script = "'sleep 1001 & sleep 1002; wait'"
        for prefix in self.ways():
            for word in ("fg", "kill -CONT %1", "bg"):
                pty = self.shell(prefix)
                pty.send(f"$RUN sh -c {script}\n")

                def sleeps():
                    return [pid for pid, what in self.marked().items()
                            if what.startswith("sleep")]
                wait_until(lambda: len(sleeps()) == 2, "the children")
                pty.send(CTRL_Z)
                pty.expect(r"Stopped .*%% $")
                wait_until(lambda: all(map(is_stopped, sleeps())), "stops")
                pty.send(word + "\n")
                wait_until(lambda: not any(map(is_stopped, sleeps())), word)
                os.killpg(self.job(pty), signal.SIGTERM)
                wait_until(lambda: not sleeps(), "the end")
                pty.send("\n")
                pty.expect(PROMPT)
                pty.close()

    def test_stop_by_sigstop(self):
        """kill -STOP %1 while the job runs in the background."""
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("$RUN sleep 1000\n")
            program = self.program(pty, prefix)
            pty.send(CTRL_Z)
            pty.expect(r"Stopped .*%% $")
            for _ in range(3):
                pty.send("bg\n")
                pty.expect(r"sleep 1000 &\r\n%% $")
                wait_until(lambda: not is_stopped(program), "a go")
                pty.send("kill -STOP %1\n")
                wait_until(lambda: is_stopped(program), "a stop")
                wait_until(lambda: is_stopped(self.job(pty)), "the job's")
                pty.send("jobs\n")
                pty.expect(r"jobs\r\n.*Stopped .*%% $")
            pty.send("kill %1; fg\n")
            pty.expect(r"Terminated.*%% $")
            self.assertTrue(is_gone(program))
            self.leave(pty)

    def test_suspend_a_pipeline(self):
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("$RUN cat | cat | $RUN cat -A\n")
            pty.send("first\n")
            pty.expect(r"first\$\r\n")
            pty.send(CTRL_Z)
            pty.expect(r"Stopped .*%% $")
            pty.send("fg\n")
            pty.expect(r"cat -A\r\n")
            pty.send("second\n")
            pty.expect(r"second\$\r\n")
            pty.send(CTRL_D)
            pty.expect(PROMPT)
            self.leave(pty)

    def test_background_read_stops(self):
        """SIGTTIN: as soon as a background job reads from the terminal."""
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("$RUN cat &\n")
            pty.expect(PROMPT)
            program = self.program(pty, prefix, "cat")
            wait_until(lambda: is_stopped(program), "SIGTTIN")
            wait_until(lambda: is_stopped(self.job(pty)), "the job's stop")
            pty.send("jobs\n")
            pty.expect(r"jobs\r\n.*Stopped .*%% $")
            pty.send("fg\n")
            pty.expect(r"cat\r\n")
            pty.send("text\n")
            pty.expect(r"text\r\ntext\r\n")
            pty.send(CTRL_D)
            pty.expect(PROMPT)
            self.leave(pty)

    def test_background_write_stops(self):
        """SIGTTOU, with `stty tostop`."""
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("stty tostop; $RUN sh -c 'echo shown; exec sleep 1000' &\n")
            pty.expect(PROMPT)
            wait_until(lambda: is_stopped(self.job(pty)), "the job's stop")
            self.assertNotIn("\r\nshown", pty.text)
            pty.send("fg\n")
            pty.expect(r"\r\nshown\r\n")
            self.program(pty, prefix)
            pty.send(CTRL_C)
            pty.expect(PROMPT)
            self.leave(pty)

    def test_kill_job(self):
        for prefix in self.ways():
            for stopped in (False, True):
                pty = self.shell(prefix)
                pty.send("$RUN sleep 1000\n")
                self.program(pty, prefix)
                pty.send(CTRL_Z)
                pty.expect(r"Stopped .*%% $")
                if not stopped:
                    pty.send("bg\n")
                    pty.expect(r"sleep 1000 &\r\n%% $")
                job = self.job(pty)
                pty.send("kill %1\n")
                wait_until(lambda: is_gone(job), "the job's end")
                self.notice(pty, "Terminated")
                self.leave(pty)

    def test_kill_stopped_job_with_sigkill(self):
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("$RUN sleep 1000\n")
            program = self.program(pty, prefix)
            pty.send(CTRL_Z)
            pty.expect(r"Stopped .*%% $")
            job = self.job(pty)
            os.kill(program, signal.SIGKILL)
            wait_until(lambda: is_gone(job), "the job's end")
            self.notice(pty, "Killed")
            self.leave(pty)


class Window(Terminal):
    """The terminal itself."""

    def test_resize(self):
        script = ("import os, signal\n"
                  "signal.pthread_sigmask(signal.SIG_BLOCK,\n"
                  "                       [signal.SIGWINCH])\n"
                  "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
                  "os.write(1, b'ready\\n')\n"
                  "while signal.sigwait([signal.SIGWINCH]):\n"
                  "    os.write(1, b'%d %d\\n' %\n"
                  "             os.get_terminal_size()[::-1])\n")
        with open(os.path.join(self.folder, "program"), "w",
                  encoding="ascii") as file:
            file.write(script)
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send(f"$RUN {PYTHON} {self.folder}/program\n")
            pty.expect("ready\r\n")
            for rows, columns in ((30, 100), (50, 132)):
                pty.resize(rows, columns)
                pty.expect(rf"{rows} {columns}\r\n")
            pty.send(CTRL_C)
            pty.expect(PROMPT)
            self.leave(pty)

    def test_hangup(self):
        """The window is closed: shell and job get SIGHUP."""
        for prefix in self.ways():
            for stopped in (False, True):
                pty = self.shell(prefix)
                pty.send("$RUN sleep 1000\n")
                program = self.program(pty, prefix)
                if stopped:
                    pty.send(CTRL_Z)
                    pty.expect(r"Stopped .*%% $")
                pty.hang_up()
                wait_until(lambda: is_gone(program), "the program's end")
                pty.end()

    def test_hangup_with_nohup(self):
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send("nohup $RUN sleep 1000 > /dev/null\n")
            program = self.program(pty, prefix)
            with open(f"/proc/{program}/status", encoding="ascii") as file:
                ignored = [line for line in file if line.startswith("SigIgn")]
            self.assertEqual(int(ignored[0].split()[1], 16) & 1, 1)
            job = self.job(pty)
            pty.hang_up()
            pty.end()
            self.assertFalse(is_gone(program))
            self.assertFalse(is_gone(job))
            os.kill(job, signal.SIGTERM)
            wait_until(lambda: is_gone(program), "the program's end")

    def test_program_that_leads_the_session(self):
        """As in a terminal window that runs epemu instead of a shell."""
        for prefix in self.ways():
            for act, expected in (
                    (lambda pty: pty.send(CTRL_C), -signal.SIGINT),
                    (lambda pty: pty.hang_up(), -signal.SIGHUP)):
                pty = Pty(prefix + ["sleep", "1000"], self.env)
                self.addCleanup(pty.close)
                if prefix:
                    program = program_of(pty.pid)
                    wait_until(lambda: state(program) == "S", "sleep")
                else:
                    wait_until(lambda: (stat_of(pty.pid) or "?")[0] ==
                               "sleep", "exec")
                act(pty)
                self.assertEqual(pty.end(), expected)

    def test_output_is_all_there(self):
        for prefix in self.ways():
            pty = Pty(prefix + ["seq", "1", "20000"], self.env)
            self.addCleanup(pty.close)
            self.assertEqual(pty.end(), 0)
            self.assertEqual(pty.text.split(),
                             [str(n) for n in range(1, 20001)])


class InnerShell(Terminal):
    """An interactive shell under epemu, with jobs of its own."""

    def inner(self, prefix, argv="bash --norc --noprofile --noediting -i"):
        pty = self.shell([])
        pty.send(f"PS1='@@ ' {' '.join(prefix)} {argv}\n")
        pty.expect(r"@@ $")
        return pty

    def test_jobs(self):
        for prefix in self.ways():
            pty = self.inner(prefix)
            pty.send("sleep 1000\n")
            pty.expect(r"sleep 1000\r\n")
            wait_until(lambda: "sleep" in " ".join(self.marked().values()),
                       "sleep")

            def in_front():
                found = [stat_of(pid) for pid in self.marked()]
                return [stat for stat in found
                        if stat and stat[0] == "sleep" and stat[1] != "T" and
                        pty.foreground() == stat[3]]
            wait_until(in_front, "sleep in the foreground")
            pty.send(CTRL_Z)
            pty.expect(r"Stopped .*@@ $")
            pty.send("bg; jobs\n")
            pty.expect(r"Running .*@@ $")
            pty.send("fg\n")
            pty.expect(r"sleep 1000\r\n")
            wait_until(in_front, "sleep in the foreground")
            pty.send(CTRL_C)
            pty.expect(r"@@ $")
            pty.send("echo status $?.\n")
            pty.expect(r"status 130\.\r\n@@ $")
            pty.send("exit 9\n")
            pty.expect(PROMPT)
            pty.send("echo status $?.\n")
            pty.expect(r"status 9\.\r\n%% $")
            self.leave(pty)

    def test_suspend_the_inner_shell(self):
        """bash stops itself by SIGSTOP; the outer shell takes over."""
        for prefix in self.ways():
            pty = self.inner(prefix)
            pty.send("suspend\n")
            pty.expect(r"Stopped.*%% $")
            pty.send("echo outer $((1+1))\n")
            pty.expect(r"outer 2\r\n%% $")
            pty.send("fg\n")
            pty.expect(r"-i\r\n")
            pty.send("\n")
            pty.expect(r"@@ $")
            pty.send("echo inner $((1+2))\n")
            pty.expect(r"inner 3\r\n@@ $")
            pty.send("exit 0\n")
            pty.expect(PROMPT)
            self.leave(pty)

    def test_end_of_input(self):
        for prefix in self.ways():
            pty = self.inner(prefix)
            pty.send(CTRL_D)
            pty.expect(PROMPT)
            self.leave(pty)

    def test_interrupt_at_the_prompt(self):
        for prefix in self.ways():
            pty = self.inner(prefix)
            for _ in range(3):
                pty.send(CTRL_C)
                pty.expect(r"@@ $")
            pty.send("exit 0\n")
            pty.expect(PROMPT)
            self.leave(pty)

    def test_hangup(self):
        for prefix in self.ways():
            pty = self.inner(prefix)
            pty.hang_up()
            pty.end()
            wait_until(lambda: not self.marked(), "the end of all")


class Tracked(Terminal):
    """The terminal's modes are the program's."""

    def test_modes_survive_a_stop(self):
        """A program in raw mode is stopped and resumed."""
        script = ("import os, sys, termios, tty, signal;"
                  "tty.setraw(0);"
                  "os.write(1, b'raw\\r\\n');"
                  "os.kill(os.getpid(), signal.SIGTSTP);"
                  "tty.setraw(0);"
                  "os.write(1, b'again\\r\\n');"
                  "key = os.read(0, 1);"
                  "os.write(1, b'key %d\\r\\n' % key[0])")
        for prefix in self.ways():
            pty = self.shell(prefix)
            pty.send(f"$RUN {PYTHON} -c \"{script}\"\n")
            pty.expect(r"raw\r\n")
            pty.expect(r"Stopped.*%% $")
            pty.send("fg\n")
            pty.expect(r"again\r\n")
            pty.send("\x03")
            pty.expect(r"key 3\r\n")
            pty.expect(PROMPT)
            self.leave(pty)


if __name__ == "__main__":
    main(again=True)
