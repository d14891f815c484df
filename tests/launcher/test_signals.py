# SPDX-License-Identifier: MIT
"""Signals sent to epemu, to the program or to their group; stops.

The parent that the program's shell would be is this test: it is in the same
session as the program's group, so that group is not orphaned and may stop.
"""

import os
import signal
import subprocess
import time

from harness import (EPEMU, HERE, PYTHON, TestCase, canary_of, is_gone,
                     is_stopped, main, program_of, sigqueue, state, supervisor_of, wait_until)

CATCHER = [PYTHON, os.path.join(HERE, "catcher.py")]
LAST = signal.SIGRTMAX


class Delivery(TestCase):
    """Each signal comes once, whoever it was sent to."""

    def caught(self, prefix, send, *words):
        """What the catcher prints when send(pid) was done to it."""
        process = self.start(prefix + CATCHER + list(words))
        self.assertEqual(process.stdout.readline(), "ready\n")
        send(process)
        lines = process.communicate()[0].splitlines()
        self.assertEqual(process.returncode, 0)
        return lines

    def send_one_by_one(self, numbers, send):
        """A sender: the next signal only when the one before was caught, so
        that none merges; SIGRTMAX after each shows that it came once."""
        def run(process):
            for number in numbers:
                send(process.pid, number)
                # A second copy would come before this one.
                send(process.pid, signal.SIGRTMAX - 1)
                lines.append([process.stdout.readline(),
                              process.stdout.readline()])
            os.kill(process.pid, LAST)
        lines = []
        return run, lines

    def catchable(self):
        return sorted(signal.valid_signals() - {
            signal.SIGKILL, signal.SIGSTOP, LAST, LAST - 1})

    def compare(self, send, *words):
        """The caught signals, natively and under epemu, one by one."""
        seen = []
        for prefix in self.ways():
            run, lines = self.send_one_by_one(self.catchable(), send)
            rest = self.caught(prefix, run, *words)
            self.assertEqual(rest, [f"{int(LAST)} sent"])
            seen.append(lines)
        self.assertEqual(seen[0], seen[1])
        for number, pair in zip(self.catchable(), seen[0]):
            self.assertEqual(pair[0].split()[0], str(int(number)))

    def test_kill(self):
        self.compare(os.kill)

    def test_kill_group(self):
        self.compare(os.killpg)

    def test_group_at_the_start(self):
        """A signal to the group reaches the program once, however much of
        epemu's start is done by then. It is blocked, so it can only pend."""
        number = signal.SIGRTMIN + 5
        count = (f"import signal\nwhich = {{{int(number)}}}\n"
                 "n = 1 if signal.sigtimedwait(which, 10) else 0\n"
                 "while signal.sigtimedwait(which, 0.05):\n"
                 "    n += 1\nprint(n)")
        for prefix in self.ways():
            for step in range(60):
                process = self.start(
                    prefix + [PYTHON, "-S", "-c", count],
                    preexec_fn=lambda: signal.pthread_sigmask(
                        signal.SIG_BLOCK, {number}))
                time.sleep(step * 5e-5)
                os.killpg(process.pid, number)
                self.assertEqual(process.communicate()[0], "1\n",
                                 f"{prefix} {step}")

    def test_sigqueue(self):
        self.compare(lambda pid, number: sigqueue(pid, number, 5))

    def test_program_in_a_group_of_its_own(self):
        """Signals to the group that the shell knows must be passed on: the
        program would lead it."""
        for prefix in self.ways():
            run, lines = self.send_one_by_one([15, 10, 18, 40], os.killpg)
            words = ["group"] if prefix else []
            self.caught(prefix, run, *words)
            self.assertEqual([pair[0] for pair in lines],
                             [f"{n} sent\n" for n in (15, 10, 18, 40)])

    def test_mixed_many_times(self):
        """To the group and to epemu alone by turns: the canary's answers
        must not get out of step."""
        def send(process):
            for turn in range(300):
                one, two = (os.kill, os.killpg)[::1 if turn % 2 else -1]
                one(process.pid, signal.SIGUSR1)
                two(process.pid, 34 + turn % 20)
                expected = {"10 sent\n", f"{34 + turn % 20} sent\n"}
                got = {process.stdout.readline(), process.stdout.readline()}
                self.assertEqual(got, expected, turn)
            os.kill(process.pid, LAST)
        for prefix in self.ways():
            self.assertEqual(self.caught(prefix, send),
                             [f"{int(LAST)} sent"])

    def test_signal_before_the_program_runs(self):
        """Sent at once: it must not be lost, nor kill epemu alone."""
        for _ in range(20):
            process = self.start([EPEMU, "sleep", "1000"])
            os.kill(process.pid, signal.SIGTERM)
            self.assertEqual(process.wait(60), -signal.SIGTERM)

    def test_without_the_canary(self):
        """Someone killed it: signals to epemu alone are still passed on."""
        def send(process):
            if process.args[0] == EPEMU:
                canary = canary_of(process.pid)
                os.kill(canary, signal.SIGKILL)
                wait_until(lambda: is_gone(canary), "the canary's end")
            os.kill(process.pid, signal.SIGUSR1)
            self.assertEqual(process.stdout.readline(), "10 sent\n")
            os.kill(process.pid, LAST)
        for prefix in self.ways():
            self.assertEqual(self.caught(prefix, send),
                             [f"{int(LAST)} sent"])

    def test_alarm_set_before_exec(self):
        """alarm() holds over exec, so it is the program's."""
        for prefix in self.ways():
            process = self.start(
                prefix + ["sleep", "1000"],
                preexec_fn=lambda: signal.setitimer(
                    signal.ITIMER_REAL, 0.2))
            self.assertEqual(process.wait(60), -signal.SIGALRM)


class Stops(TestCase):
    """What a job control shell sees."""

    def next_status(self, process):
        options = os.WUNTRACED | os.WCONTINUED | os.WNOHANG

        def look():
            pid, status = os.waitpid(process.pid, options)
            return (status,) if pid else None
        status, = wait_until(look, "a change of the job's state")
        if os.WIFSTOPPED(status):
            return "stopped", os.WSTOPSIG(status)
        if os.WIFCONTINUED(status):
            return "continued", 0
        return "ended", os.waitstatus_to_exitcode(status)

    def past_continued(self, process):
        """The next stop or end: a continuation may be over unseen."""
        status = ("continued", 0)
        while status[0] == "continued":
            status = self.next_status(process)
        return status

    def start_sleep(self, prefix):
        process = self.start(prefix + ["sleep", "1000"])
        process.program = program_of(process.pid) if prefix else process.pid
        wait_until(lambda: state(process.program) == "S", "sleep to sleep")
        return process

    def finish_job(self, process, **_):
        os.killpg(process.pid, signal.SIGKILL)
        process.returncode = -9
        while self.next_status(process)[0] != "ended":
            pass

    def check(self, steps):
        """`steps`: (act(process), expected) one after another."""
        for prefix in self.ways():
            process = self.start_sleep(prefix)
            for act, expected in steps:
                act(process)
                self.assertEqual(self.next_status(process), expected)
                if expected[0] != "ended":
                    stopped = expected[0] == "stopped"
                    wait_until(lambda: is_stopped(process.program) == stopped,
                               f"the program to be {expected}")
            if expected[0] == "ended":
                process.returncode = expected[1]
            else:
                self.finish_job(process)

    @staticmethod
    def to_group(number):
        return lambda process: os.killpg(process.pid, number)

    @staticmethod
    def to_one(number):
        return lambda process: os.kill(process.pid, number)

    @staticmethod
    def to_program(number):
        return lambda process: os.kill(process.program, number)

    def test_group_stops_and_continues(self):
        for number in (signal.SIGTSTP, signal.SIGSTOP, signal.SIGTTIN,
                       signal.SIGTTOU):
            self.check([
                (self.to_group(number), ("stopped", number)),
                (self.to_group(signal.SIGCONT), ("continued", 0)),
                (self.to_group(number), ("stopped", number)),
                (self.to_group(signal.SIGCONT), ("continued", 0)),
                (self.to_group(signal.SIGTERM), ("ended", -15))])

    def test_one_stops_and_continues(self):
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            self.check([
                (self.to_one(number), ("stopped", number)),
                (self.to_one(signal.SIGCONT), ("continued", 0)),
                (self.to_one(signal.SIGTERM), ("ended", -15))])

    def test_program_stops_and_continues(self):
        for number in (signal.SIGTSTP, signal.SIGSTOP, signal.SIGTTIN):
            self.check([
                (self.to_program(number), ("stopped", number)),
                (self.to_program(signal.SIGCONT), ("continued", 0)),
                (self.to_program(number), ("stopped", number)),
                (self.to_group(signal.SIGCONT), ("continued", 0)),
                (self.to_program(signal.SIGTERM), ("ended", -15))])

    def test_group_stopped_one_continued(self):
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            self.check([
                (self.to_group(number), ("stopped", number)),
                (self.to_one(signal.SIGCONT), ("continued", 0)),
                (self.to_group(number), ("stopped", number)),
                (self.to_one(signal.SIGCONT), ("continued", 0)),
                (self.to_one(signal.SIGTERM), ("ended", -15))])

    def test_signals_wait_for_a_stopped_program(self):
        def stop_then_term(process):
            os.killpg(process.pid, signal.SIGTERM)
            os.killpg(process.pid, signal.SIGCONT)
        for prefix in self.ways():
            process = self.start_sleep(prefix)
            os.killpg(process.pid, signal.SIGSTOP)
            self.assertEqual(self.next_status(process)[0], "stopped")
            stop_then_term(process)
            self.assertEqual(self.past_continued(process), ("ended", -15))
            process.returncode = -15

    def test_killed_while_stopped(self):
        for send in (self.to_program(signal.SIGKILL),
                     self.to_group(signal.SIGKILL)):
            for prefix in self.ways():
                process = self.start_sleep(prefix)
                os.killpg(process.pid, signal.SIGTSTP)
                self.assertEqual(self.next_status(process)[0], "stopped")
                send(process)
                # The program's death wakes epemu first, which shows.
                status = self.past_continued(process)
                process.returncode = -9
                self.assertEqual(status, ("ended", -9))

    def test_stops_many_times(self):
        """Every stop is seen once and every continuation gets through."""
        for prefix in self.ways():
            process = self.start_sleep(prefix)
            for turn in range(200):
                number = (signal.SIGTSTP, signal.SIGSTOP)[turn % 2]
                send = (os.kill, os.killpg)[turn // 2 % 2]
                if number == signal.SIGSTOP:
                    send = os.killpg
                send(process.pid, number)
                self.assertEqual(self.next_status(process),
                                 ("stopped", number), turn)
                wait_until(lambda: is_stopped(process.program), "a stop")
                (os.killpg, os.kill)[turn // 3 % 2](
                    process.pid, signal.SIGCONT)
                self.assertEqual(self.next_status(process),
                                 ("continued", 0), turn)
                wait_until(lambda: not is_stopped(process.program), "a go")
                # Until it ran, a signal may merge with the one before.
                wait_until(lambda: state(process.pid) == "S", "a sleep")
            self.finish_job(process)

    def test_program_that_stops_itself(self):
        script = ("i=0; while [ $i -lt 50 ]; do kill -STOP $$;"
                  " i=$((i+1)); echo $i; done")
        for prefix in self.ways():
            process = self.start(prefix + ["sh", "-c", script])
            for turn in range(1, 51):
                self.assertEqual(self.past_continued(process),
                                 ("stopped", signal.SIGSTOP), turn)
                os.killpg(process.pid, signal.SIGCONT)
                self.assertEqual(process.stdout.readline(), f"{turn}\n")
            self.assertEqual(self.past_continued(process), ("ended", 0))
            process.returncode = 0

    def test_supervisor_serves_on_while_the_job_is_stopped(self):
        """A child in another group makes calls while the program stands."""
        script = ("import os, sys\n"
                  "if os.fork() == 0:\n"
                  "    os.setsid()\n"
                  "    print('ready', flush=True)\n"
                  "    sys.stdin.readline()\n"
                  "    fd = os.eventfd(0)\n"
                  "    os.eventfd_write(fd, 7)\n"
                  "    print(os.eventfd_read(fd), flush=True)\n"
                  "else:\n"
                  "    os.wait()\n")
        for prefix in self.ways():
            process = self.start(prefix + [PYTHON, "-c", script],
                                 stdin=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), "ready\n")
            os.killpg(process.pid, signal.SIGTSTP)
            self.assertEqual(self.next_status(process)[0], "stopped")
            process.stdin.write("go\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), "7\n")
            os.killpg(process.pid, signal.SIGCONT)
            self.assertEqual(self.next_status(process), ("continued", 0))
            self.assertEqual(self.next_status(process), ("ended", 0))
            process.returncode = 0

    def test_supervisor_ignores_signals(self):
        process = self.start_sleep([EPEMU])
        supervisor = supervisor_of(process.pid)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                       signal.SIGALRM, signal.SIGTSTP, signal.SIGUSR1):
            os.kill(supervisor, number)
        os.kill(process.pid, signal.SIGTERM)
        self.assertEqual(self.next_status(process), ("ended", -15))
        process.returncode = -15


if __name__ == "__main__":
    main()
