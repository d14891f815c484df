# SPDX-License-Identifier: MIT
"""How epemu ends: the program's status and output, and its own failures."""

import os
import re
import resource
import signal
import subprocess
import tempfile

from harness import EPEMU, PYTHON, TestCase, main


class Status(TestCase):
    """The program's own end."""

    def test_exit_codes(self):
        for code in (0, 1, 2, 77, 124, 125, 126, 127, 128, 255):
            self.assert_same(["sh", "-c", f"exit {code}"])

    def test_death_by_each_signal(self):
        harmless = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG,
                    signal.SIGWINCH, signal.SIGSTOP, signal.SIGTSTP,
                    signal.SIGTTIN, signal.SIGTTOU}
        for number in sorted(signal.valid_signals() - harmless):
            native = self.assert_same(
                [PYTHON, "-c", "import os,signal as s,resource as r;"
                 "r.setrlimit(r.RLIMIT_CORE, (0, 0));"
                 "[s.signal(n, s.SIG_DFL) for n in (2, 13, 25)];"
                 f"os.kill(os.getpid(), {int(number)})"])
            self.assertEqual(native.returncode, -number)

    def test_no_core_of_epemu(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.run_it(
                [EPEMU, "sh", "-c", "ulimit -c 0; kill -SEGV $$"], cwd=folder,
                preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_CORE, (-1, -1)))
            self.assertEqual(result.returncode, -signal.SIGSEGV)
            self.assertEqual(os.listdir(folder), [])

    def test_first_process_of_a_container(self):
        inside = ["unshare", "--pid", "--fork", "--mount-proc"]
        if self.run_it(inside + ["true"]).returncode != 0:
            self.lacks("unshare needs privileges")
        self.assertEqual(
            self.run_it(inside + [EPEMU, "sh", "-c", "exit 3"]).returncode, 3)
        result = self.run_it(inside + [EPEMU, "sh", "-c", "kill -TERM $$"])
        self.assertEqual(result.returncode, 128 + signal.SIGTERM)

    def test_another_user(self):
        if os.getuid() != 0:
            self.lacks("needs root to become another user")
        result = self.run_it([EPEMU, "id", "-u"], user=65534, group=65534,
                             extra_groups=[], cwd="/")
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (0, "65534\n", ""))


class Command(TestCase):
    """The command line."""

    def ours(self, *words, status, **more):
        result = self.run_it([EPEMU] + list(words), **more)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def assert_one_line(self, text, *parts):
        self.assertRegex(text, r"\Aepemu: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, text)

    def test_help_fits_one_screen(self):
        for word in ("--help", "-h"):
            result = self.ours(word, status=0)
            self.assertEqual(result.stderr, "")
            self.assertLessEqual(len(result.stdout.splitlines()), 24)
            for line in result.stdout.splitlines():
                self.assertLessEqual(len(line), 80)

    def test_version(self):
        result = self.ours("--version", status=0)
        self.assertRegex(result.stdout, r"\Aepemu \d+\.\d+\.\d+\n\Z")

    def test_help_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            self.ours("--help", status=125, stdout=full)

    def test_mistakes(self):
        for words, part in (
                ([], "PROGRAM"), (["--"], "PROGRAM"),
                (["--nonsense", "true"], "--nonsense"),
                (["-vq", "true"], "-q"), (["-o"], "-o"),
                (["--verbose=1", "true"], "--verbose=1"),
                (["--io-uring=perhaps", "true"], "perhaps"),
                (["--eventfd", "guest", "true"], "guest")):
            result = self.ours(*words, status=125)
            self.assert_one_line(result.stderr, part, "--help")

    def test_options_stop_at_the_program(self):
        result = self.ours("echo", "-v", "--help", "--", "-x", status=0)
        self.assertEqual(result.stdout, "-v --help -- -x\n")
        self.assertEqual(result.stderr, "")
        result = self.ours("--", "echo", "--", "-v", status=0)
        self.assertEqual(result.stdout, "-- -v\n")

    def test_all_options_are_taken(self):
        for words in (["--io-uring=deny"], ["--io-uring=allow"],
                      ["--eventfd=emulate"], ["--eventfd=host"],
                      ["--io-uring", "deny", "--eventfd", "host"]):
            self.assertEqual(self.ours(*words, "true", status=0).stderr, "")

    def test_not_found(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "script")
            with open(script, "w", encoding="ascii") as file:
                file.write("#!/no/such/interpreter\n")
            os.chmod(script, 0o755)
            for name, part in (("no-such-program", "PATH"),
                               (os.path.join(folder, "none"), "path"),
                               (script, "interpreter"), ("", "PATH")):
                result = self.ours(name, status=127)
                self.assert_one_line(result.stderr, f"'{name}'", part)

    def test_not_executable(self):
        with tempfile.NamedTemporaryFile() as file:
            os.chmod(file.name, 0o600)
            result = self.ours(file.name, status=126)
            self.assert_one_line(result.stderr, file.name, "permission")
        with tempfile.TemporaryDirectory() as folder:
            result = self.ours(folder, status=126)
            self.assert_one_line(result.stderr, folder)

    def test_statuses_are_those_of_env(self):
        for name in ("no-such-program", "/etc/passwd", "/", "/dev/null"):
            env = self.run_it(["env", name])
            self.ours(name, status=env.returncode)

    def test_empty_environment(self):
        for argv in (["/bin/echo", "fine"], ["echo", "fine"]):
            self.assertEqual(
                self.run_it([EPEMU] + argv, env={}).stdout, "fine\n")

    def test_script_without_interpreter_line(self):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            self.addCleanup(os.unlink, file.name)
            file.write("echo $# $1\n")
        os.chmod(file.name, 0o755)
        self.assert_same(["env", file.name, "a", "b"])
        result = self.ours(file.name, "a", "b", status=0)
        self.assertEqual(result.stdout, "2 a\n")

    def test_nested(self):
        result = self.ours(EPEMU, "true", status=125)
        self.assert_one_line(result.stderr, "already running under")

    def test_too_few_processes(self):
        if os.getuid() != 0:
            self.lacks("needs root to become another user")

        def limit():
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        result = self.ours("true", status=125, user=54321, group=54321,
                           extra_groups=[], cwd="/", preexec_fn=limit,
                           # A sanitizer needs a process to look for leaks.
                           env=dict(self.env, ASAN_OPTIONS="detect_leaks=0"))
        self.assert_one_line(result.stderr, "supervisor")


class Messages(TestCase):
    """-v and -o."""

    counts = re.compile(r"^epemu: (\w+) (\d+)( \(\d+ failed\))?$", re.M)

    def check_counts(self, text):
        """The table at the end: one call a line, then the total."""
        for line in text.splitlines():
            self.assertTrue(line.startswith("epemu: "), line)
        found = self.counts.findall(text)
        names = [name for name, *_ in found]
        self.assertIn("eventfd2", names)
        self.assertEqual(names[-1], "total")
        self.assertEqual(int(found[-1][1]),
                         sum(int(number) for _, number, _ in found[:-1]))

    program = [PYTHON, "-c", "import os; os.close(os.eventfd(1))"]

    def test_quiet_without(self):
        result = self.run_it([EPEMU] + self.program)
        self.assertEqual((result.stdout, result.stderr), ("", ""))

    def test_verbose_on_standard_error(self):
        result = self.run_it([EPEMU, "-v"] + self.program)
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("ended with status 0", result.stderr)
        self.check_counts(result.stderr)

    def test_verbose_in_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "log")
            for _ in range(2):
                result = self.run_it(
                    [EPEMU, "-v", "-o", name] + self.program)
                self.assertEqual((result.stdout, result.stderr), ("", ""))
                with open(name, encoding="utf-8") as file:
                    text = file.read()
                self.check_counts(text)
                self.assertEqual(text.count("the program is"), 1, text)

    def test_own_failure_goes_to_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "log")
            result = self.run_it([EPEMU, "-o", name, "no-such-program"])
            self.assertEqual((result.returncode, result.stderr), (127, ""))
            with open(name, encoding="utf-8") as file:
                self.assertIn("no-such-program", file.read())

    def test_file_that_cannot_be_written(self):
        result = self.run_it([EPEMU, "-o", "/no/such/folder/log", "true"])
        self.assertEqual(result.returncode, 125)
        self.assertIn("/no/such/folder/log", result.stderr)

    def test_closed_reader_of_messages(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as stream:
            result = self.run_it([EPEMU, "-v"] + self.program, stderr=stream)
        self.assertEqual(result.returncode, 0)

    def test_messages_of_a_stopped_launcher_are_not_lost(self):
        """More lines than the socket takes, while nobody reads them."""
        script = "i=0; while [ $i -lt 3 ]; do kill -STOP $$; i=$((i+1)); done"
        process = self.start([EPEMU, "-v", "sh", "-c", script],
                             stderr=subprocess.PIPE)
        for _ in range(3):
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status))
            os.killpg(process.pid, signal.SIGCONT)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.counts.findall(errors)[-1][0], "total")


if __name__ == "__main__":
    main()
