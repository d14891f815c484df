# SPDX-License-Identifier: MIT
"""Who outlives whom: daemons, pipes, and what happens when a process of
epemu's own is killed."""

import os
import re
import signal
import subprocess
import tempfile
import time

from harness import (EPEMU, LIMIT_S, PYTHON, TestCase, canary_of,
                     has_address_sanitizer, is_gone, main, program_of,
                     read_file, stat_of, supervisor_of, wait_until)

# Says "ready", then serves itself with an eventfd for each line it reads.
SERVER = ("import os, sys\n"
          "print('ready', flush=True)\n"
          "for line in sys.stdin:\n"
          "    fd = os.eventfd(0)\n"
          "    os.eventfd_write(fd, int(line))\n"
          "    print(os.eventfd_read(fd), flush=True)\n"
          "    os.close(fd)\n")

class Pipes(TestCase):
    """epemu holds no end of a pipe that the program has given up."""

    def test_reader_that_leaves(self):
        for prefix in self.ways():
            result = self.run_it(["sh", "-c", 'yes | "$@" cat | head -n 1',
                                  "sh"] + prefix)
            self.assertEqual(result.stdout, "y\n")
            self.assertNotIn("roken pipe", result.stderr)

    def test_input_to_the_end(self):
        data = "line\n" * 100000
        for prefix in self.ways():
            result = self.run_it(prefix + ["wc", "-l"], input=data,
                                 stdin=None)
            self.assertEqual(result.stdout, "100000\n")

    def test_input_is_left_for_the_next(self):
        script = '"$@" head -c 4 > /dev/null; cat'
        for prefix in self.ways():
            with tempfile.TemporaryFile("w+") as file:
                file.write("one\ntwo\n")
                file.seek(0)
                result = self.run_it(["sh", "-c", script, "sh"] + prefix,
                                     stdin=file)
            self.assertEqual(result.stdout, "two\n")

    def test_substitution_with_a_daemon(self):
        """$(...) waits for the pipe's end, not for the daemon."""
        script = 'x=$("$@" sh -c "sleep 1000 > /dev/null 2>&1 & echo $!"); ' \
                 'kill -0 $x && kill $x && echo fine'
        script = script.replace("$!", "\\$!")
        for prefix in self.ways():
            result = self.run_it(["sh", "-c", script, "sh"] + prefix)
            self.assertEqual((result.stdout, result.returncode),
                             ("fine\n", 0))

    def test_input_given_up(self):
        """The program closes its input; the writer gets EPIPE."""
        for prefix in self.ways():
            read, write = os.pipe()
            process = self.start(prefix + ["sh", "-c",
                                           "exec <&-; echo ready; exec sleep 1000"],
                                 stdin=read)
            os.close(read)
            self.assertEqual(process.stdout.readline(), "ready\n")

            def broken():
                try:
                    os.write(write, b"x")
                except BrokenPipeError:
                    return True
                return False
            wait_until(broken, "EPIPE")
            os.close(write)
            process.kill()

    def test_working_folder_is_not_held(self):
        for prefix in self.ways():
            with tempfile.TemporaryDirectory() as folder:
                process = self.start(
                    prefix + ["sh", "-c", "cd /; echo ready; exec sleep 1000"],
                    cwd=folder)
                self.assertEqual(process.stdout.readline(), "ready\n")

                def holders():
                    return [pid for pid in self.marked()
                            if cwd_of(pid) == folder]
                wait_until(lambda: not holders(), "nobody in the folder")
                process.kill()


def cwd_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None


class Daemons(TestCase):
    """Processes that outlive the program are served on."""

    def start_daemon(self, prefix):
        """Returns the daemon's ends of pipes, after the program's end."""
        process = self.start(
            prefix + ["sh", "-c", 'exec 3<&0; "$@" <&3 3<&- & exit 5', "sh",
                      "setsid", PYTHON, "-c", SERVER],
            stdin=subprocess.PIPE)
        self.assertEqual(process.wait(LIMIT_S), 5)
        return process

    def test_daemon_is_served(self):
        for prefix in self.ways():
            process = self.start_daemon(prefix)
            self.assertEqual(process.stdout.readline(), "ready\n")
            for number in range(1, 20):
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), f"{number}\n")
            process.stdin.close()
            process.stdin = None
            wait_until(lambda: not self.marked(), "the daemon's end")

    def test_supervisor_of_a_daemon_is_killed(self):
        """Its calls fail then; it must not hang in one."""
        process = self.start_daemon([EPEMU])
        self.assertEqual(process.stdout.readline(), "ready\n")
        supervisor = wait_until(
            lambda: [pid for pid, what in self.marked().items()
                     if what.startswith("epemu-serve")], "a supervisor")[0]
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: is_gone(supervisor), "the supervisor's end")
        process.stdin.write("1\n")
        process.stdin.flush()
        wait_until(lambda: not self.marked(), "the daemon's end")


class Killed(TestCase):
    """Processes of epemu's own are killed: no program is left behind."""

    # A tree with a process in another session and one in another group.
    tree = ("setsid sleep 1001 & "
            "bash -c 'set -m; sleep 1002 & wait' & "
            "(trap '' TERM INT HUP; sleep 1003) & "
            "echo ready; wait")

    def start_tree(self, *options):
        process = self.start([EPEMU, *options, "bash", "-c", self.tree],
                             stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "ready\n")

        def all_there():
            lines = " ".join(read_file(f"/proc/{pid}/cmdline") or ""
                             for pid in self.marked())
            return all(f"sleep\0{n}" in lines for n in (1001, 1002, 1003))
        wait_until(all_there, "the tree")
        return process

    def all_end(self):
        wait_until(lambda: not self.marked(), "the end of all")

    def test_launcher_is_killed(self):
        process = self.start_tree()
        os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), -signal.SIGKILL)
        self.all_end()

    def test_launcher_is_killed_while_stopped(self):
        process = self.start_tree()
        os.killpg(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), -signal.SIGKILL)
        self.all_end()

    def test_launcher_is_killed_before_the_program_runs(self):
        for _ in range(30):
            process = self.start([EPEMU, "sleep", "1000"])
            os.kill(process.pid, signal.SIGKILL)
            process.wait(LIMIT_S)
            self.all_end()

    def test_group_is_killed(self):
        process = self.start_tree()
        os.killpg(process.pid, signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), -signal.SIGKILL)
        self.all_end()

    def test_launcher_is_killed_with_orphans_about(self):
        """Their parents have gone before."""
        process = self.start(
            [EPEMU, "sh", "-c", "(setsid sleep 1001 & setsid sleep 1002 &); "
             "echo ready; exec sleep 1003"])
        self.assertEqual(process.stdout.readline(), "ready\n")
        wait_until(lambda: len([1 for what in self.marked().values()
                                if what.startswith("sleep")]) == 3, "three")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
        self.all_end()

    def test_supervisor_is_killed_with_orphans_about(self):
        process = self.start(
            [EPEMU, "sh", "-c", "(setsid sleep 1001 & setsid sleep 1002 &); "
             "echo ready; exec sleep 1003"], stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), "ready\n")
        wait_until(lambda: len([1 for what in self.marked().values()
                                if what.startswith("sleep")]) == 3, "three")
        os.kill(supervisor_of(process.pid), signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), 125)
        self.all_end()

    def test_supervisor_is_killed(self):
        process = self.start_tree()
        os.kill(supervisor_of(process.pid), signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), 125)
        self.assertRegex(process.stderr.read(),
                         r"\Aepemu: the supervisor was killed by signal 9"
                         r"[^\n]*\n\Z")
        self.all_end()

    def test_supervisor_is_killed_while_the_job_is_stopped(self):
        process = self.start_tree()
        program = program_of(process.pid)
        os.killpg(process.pid, signal.SIGTSTP)
        wait_until(lambda: stat_of(process.pid)[1] == "T", "a stop")
        os.kill(supervisor_of(process.pid), signal.SIGKILL)
        wait_until(lambda: is_gone(program), "the program's end")
        os.killpg(process.pid, signal.SIGCONT)
        self.assertEqual(process.wait(LIMIT_S), 125)
        self.all_end()

    def test_both_are_killed(self):
        process = self.start([EPEMU, "sleep", "1000"])
        supervisor = supervisor_of(process.pid)
        program = program_of(process.pid)
        for pid in (supervisor, process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_gone(program), "the program's end")
        self.all_end()

    def test_supervisor_is_stopped_again_and_again(self):
        """Calls wait meanwhile, and have the right answers: a descriptor that
        is made is there, and is not 0."""
        code = ("import os, select, time\n"
                "end = time.monotonic() + 2\n"
                "epoll = select.epoll()\n"
                "while time.monotonic() < end:\n"
                "    counter, other = os.eventfd(3), select.epoll()\n"
                "    assert 0 not in (counter, other.fileno())\n"
                "    epoll.register(counter, select.EPOLLIN)\n"
                "    assert epoll.poll(0) == [(counter, select.EPOLLIN)]\n"
                "    assert os.eventfd_read(counter) == 3\n"
                "    os.close(counter)\n"
                "    other.close()\n")
        process = self.start([EPEMU, PYTHON, "-c", code],
                             stderr=subprocess.PIPE)
        supervisor = supervisor_of(process.pid)
        program_of(process.pid)
        while process.poll() is None:
            for sig in (signal.SIGSTOP, signal.SIGCONT):
                try:
                    os.kill(supervisor, sig)
                except ProcessLookupError:
                    break
                time.sleep(0.0002)
        self.assertEqual((process.returncode, process.stderr.read()), (0, ""))

    def test_program_is_killed(self):
        process = self.start_tree()
        os.kill(program_of(process.pid), signal.SIGKILL)
        self.assertEqual(process.wait(LIMIT_S), -signal.SIGKILL)
        # Natively its children would go on as well.
        left = self.marked()
        self.assertTrue(any("sleep" in what for what in left.values()), left)
        for pid, what in left.items():
            if not what.startswith("epemu"):
                os.kill(pid, signal.SIGKILL)
        self.all_end()

    def test_crash_prints_where_it_was(self):
        if has_address_sanitizer():
            return  # which reports crashes itself
        process = self.start_tree()
        os.kill(supervisor_of(process.pid), signal.SIGSEGV)
        self.assertEqual(process.wait(LIMIT_S), 125)
        errors = process.stderr.read()
        self.assertRegex(errors, r"\Aepemu: the supervisor \(process \d+\) "
                                 r"crashed by signal 11[^\n]*please report")
        self.assertTrue(re.search(r"^epemu:   #1 0x[0-9a-f]+", errors, re.M),
                        errors)
        self.assertIn("main", errors)
        self.assertIn("killed by signal 11", errors)
        self.all_end()

    def test_crash_is_in_the_log_file(self):
        if has_address_sanitizer():
            return  # which reports crashes itself
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "log")
            process = self.start_tree("-o", name)
            os.kill(supervisor_of(process.pid), signal.SIGABRT)
            self.assertEqual(process.wait(LIMIT_S), 125)
            self.assertIn("crashed by signal 6", read_file(name))
            self.assertEqual(process.stderr.read(), "")
        self.all_end()


class Shape(TestCase):
    """The processes and what they hold."""

    def test_helpers_hold_no_descriptor_of_the_caller(self):
        with tempfile.NamedTemporaryFile() as file:
            process = self.start([EPEMU, "sleep", "1000"],
                                 stdin=file.fileno(),
                                 pass_fds=[file.fileno()])
            program = program_of(process.pid)

            def held(pid):
                return [fd for fd in os.listdir(f"/proc/{pid}/fd")
                        if os.path.realpath(f"/proc/{pid}/fd/{fd}") ==
                        os.path.realpath(file.name)]
            self.assertEqual(len(held(program)), 2)
            for pid in (process.pid, supervisor_of(process.pid),
                        canary_of(process.pid)):
                wait_until(lambda: not held(pid), f"{pid} to let go")
            process.kill()

    def test_sessions_and_groups(self):
        for prefix in self.ways():
            process = self.start(prefix + ["sleep", "1000"])
            program = program_of(process.pid) if prefix else process.pid
            self.assertEqual(stat_of(program)[3], process.pid)
            self.assertEqual(stat_of(program)[4], os.getsid(0))
            if prefix:
                supervisor = supervisor_of(process.pid)
                self.assertEqual(stat_of(supervisor)[3:],
                                 (supervisor, supervisor))
            process.kill()

    def test_started_in_a_new_session(self):
        for prefix in self.ways():
            result = self.run_it(["setsid", "-w"] + prefix +
                                 ["sh", "-c", "echo fine; exit 7"])
            self.assertEqual((result.returncode, result.stdout),
                             (7, "fine\n"))

    def test_time_is_accounted(self):
        """What the program used is what its parent sees of epemu."""
        burn = ("import time\n"
                "while time.process_time() < 0.5:\n"
                "    pass\n")
        for prefix in self.ways():
            before = os.times()
            process = self.start(prefix + [PYTHON, "-c", burn])
            process.wait(LIMIT_S)
            after = os.times()
            self.assertGreaterEqual(
                after.children_user + after.children_system -
                before.children_user - before.children_system, 0.4)

    def test_many_at_once(self):
        """Sixty in parallel, all with their own status."""
        processes = [self.start([EPEMU, "sh", "-c", f"exit {n}"])
                     for n in range(60)]
        self.assertEqual([p.wait(LIMIT_S) for p in processes],
                         list(range(60)))


if __name__ == "__main__":
    main()
