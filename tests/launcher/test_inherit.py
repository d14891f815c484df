# SPDX-License-Identifier: MIT
"""The program finds what it would have found without epemu: descriptors,
limits, signal mask and dispositions, environment, and so on."""

import os
import re
import resource
import signal
import tempfile

from harness import (EPEMU, PYTHON, TestCase, has_address_sanitizer,
                     limit_files, main, read_file)

# Fields of /proc/self/status that must not differ. (Seccomp has to.)
STATUS = ("(Umask|Uid|Gid|Groups|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|"
          "Cap...|Cpus_allowed|Mems_allowed|Threads|TracerPid):")

# AddressSanitizer takes these for itself before main().
SANITIZED = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE} \
    if has_address_sanitizer() else set()


class Inherited(TestCase):
    """Compared with the native run, byte by byte."""

    def status(self, prefix, **more):
        # Not grep(1), which handles SIGSEGV.
        result = self.run_it(prefix + ["cat", "/proc/self/status"], **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [line for line in result.stdout.splitlines()
                if re.match(STATUS, line)]

    def same_status(self, **more):
        native = self.status([], **more)
        self.assertEqual(self.status([EPEMU], **more), native)
        return native

    def field(self, text, name):
        return [line.split("\t")[1] for line in text
                if line.startswith(name + ":")][0]

    def test_status(self):
        self.same_status()

    def test_no_new_privileges(self):
        """Set only where the filter needs it: without CAP_SYS_ADMIN."""
        text = read_file("/proc/self/status").splitlines()
        has_admin = int(self.field(text, "CapEff"), 16) >> 21 & 1
        was_set = int(self.field(text, "NoNewPrivs"))
        result = self.run_it(
            [EPEMU, "grep", "NoNewPrivs", "/proc/self/status"])
        self.assertEqual(int(result.stdout.split()[1]),
                         1 if was_set or not has_admin else 0)

    def test_signal_mask(self):
        def block():
            signal.pthread_sigmask(signal.SIG_SETMASK, {
                signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, 40})
        text = self.same_status(preexec_fn=block)
        self.assertEqual(int(self.field(text, "SigBlk"), 16),
                         1 << 9 | 1 << 14 | 1 << 16 | 1 << 39)

    def test_full_signal_mask(self):
        self.same_status(preexec_fn=lambda: signal.pthread_sigmask(
            signal.SIG_SETMASK, signal.valid_signals()))

    def test_ignored_signals(self):
        """All of them, SIGCHLD too, which epemu itself needs."""
        unmovable = {signal.SIGKILL, signal.SIGSTOP} | SANITIZED

        def ignore():
            for number in signal.valid_signals():
                if number not in unmovable:
                    signal.signal(number, signal.SIG_IGN)
        text = self.same_status(preexec_fn=ignore)
        every = sum(1 << number - 1
                    for number in signal.valid_signals() - unmovable)
        self.assertEqual(int(self.field(text, "SigIgn"), 16), every)

    def test_ignored_signals_one_by_one(self):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE,
                       signal.SIGCHLD, signal.SIGABRT, signal.SIGALRM,
                       signal.SIGTSTP):
            text = self.same_status(
                restore_signals=False,
                preexec_fn=lambda: [
                    signal.signal(signal.SIGPIPE, signal.SIG_DFL),
                    signal.signal(number, signal.SIG_IGN)])
            self.assertTrue(int(self.field(text, "SigIgn"), 16) &
                            1 << number - 1)

    def test_nohup(self):
        text = self.status(["nohup", EPEMU])
        self.assertEqual(int(self.field(text, "SigIgn"), 16) & 1, 1)

    def test_limits(self):
        self.assert_same(["cat", "/proc/self/limits"])

        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 22, 1 << 23))
        text = self.assert_same(["cat", "/proc/self/limits"],
                                preexec_fn=lower).stdout
        self.assertRegex(text, r"Max open files +64 +128 ")

    def test_few_open_files(self):
        """No room for anything of ours under the soft limit."""
        for soft in (4, 5, 8):
            text = self.assert_same(
                ["cat", "/proc/self/limits"],
                preexec_fn=limit_files(soft, 100)).stdout
            self.assertRegex(text, rf"Max open files +{soft} +100 ")

    def test_far_too_few_open_files(self):
        result = self.run_it(
            [EPEMU, "true"], preexec_fn=limit_files(4))
        self.assertEqual(result.returncode, 125)
        self.assertRegex(result.stderr, r"\Aepemu: [^\n]*files[^\n]*\n\Z")

    def test_environment(self):
        self.assert_same(["env", "-0"])
        self.assert_same(["/usr/bin/env", "-0"], env={})
        self.assert_same(["/usr/bin/env", "-0"],
                         env={"LD_LIBRARY_PATH": "/none", "A": "b\nc"})

    def test_arguments(self):
        words = ["", " ", "a b", "\n", "--", "-o", "\\", "é" * 1000]
        self.assert_same(["printf", "<%s>"] + words)

    def test_many_arguments(self):
        self.assert_same(["sh", "-c", "echo $#", "sh"] + ["word"] * 20000)

    def test_nice_umask_folder_affinity(self):
        def change():
            os.nice(3)
            os.umask(0o27)
            os.chdir("/usr")
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.assert_same(["sh", "-c", "nice; umask; pwd; nproc"],
                         preexec_fn=change)

    def test_name_of_the_program(self):
        self.assert_same(["cat", "/proc/self/comm", "/proc/self/cmdline"])

    def test_timers(self):
        """Set before exec, they are the program's, with what is left."""
        script = "import signal; print([signal.getitimer(n)[0] > 500 and " \
                 "signal.getitimer(n)[1] == 7 for n in range(3)])"

        def start():
            for which in range(3):
                signal.setitimer(which, 1000, 7)
        text = self.assert_same([PYTHON, "-c", script],
                                preexec_fn=start).stdout
        self.assertEqual(text, "[True, True, True]\n")


class Descriptors(TestCase):
    """The same numbers, on the same files, and no more."""

    # Lists its descriptors into the one that FD names.
    script = ("import os, sys\n"
              "out = int(sys.argv[1])\n"
              "lines = []\n"
              "for fd in range(200):\n"
              "    try:\n"
              "        lines.append('%d %s' % (fd,\n"
              "                     os.readlink('/proc/self/fd/%d' % fd)))\n"
              "    except OSError:\n"
              "        pass\n"
              "os.write(out, '\\n'.join(lines).encode())\n")

    def listing(self, prefix, prepare, number=9):
        """What the program sees after prepare() in a fresh child."""
        with tempfile.TemporaryFile() as file:
            pid = os.fork()
            if pid == 0:
                try:
                    os.environ.update(self.env)
                    os.dup2(file.fileno(), 100)
                    for fd in range(100):
                        if fd > 2:
                            try:
                                os.close(fd)
                            except OSError:
                                pass
                    os.dup2(100, number)
                    os.close(100)
                    prepare()
                    argv = prefix + [PYTHON, "-S", "-E", "-c", self.script,
                                     str(number)]
                    os.execvp(argv[0], argv)
                finally:
                    os._exit(99)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            file.seek(0)
            # Each run has an output file of its own.
            return re.sub(r"#[0-9]+ \(deleted\)", "(deleted)",
                          file.read().decode())

    def compare(self, prepare, number=9):
        native = self.listing([], prepare, number)
        self.assertEqual(self.listing([EPEMU], prepare, number), native)
        return native

    def test_standard_ones(self):
        text = self.compare(lambda: None)
        self.assertEqual([line.split()[0] for line in text.splitlines()],
                         ["0", "1", "2", "9"])

    def test_closed_standard_ones(self):
        for closed in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)):
            def close(fds=closed):
                for fd in fds:
                    os.close(fd)
            self.compare(close)

    def test_more(self):
        def more():
            for fd in (3, 5, 7, 63, 150):
                os.dup2(9, fd)
        text = self.compare(more)
        self.assertEqual(len(text.splitlines()), 9)

    def test_close_on_exec_is_kept_from_the_program(self):
        def more():
            os.dup2(9, 5, inheritable=False)
        self.assertNotIn("\n5 ", self.compare(more))

    def test_log_file_is_not_inherited(self):
        with tempfile.TemporaryDirectory() as folder:
            native = self.listing([], lambda: None)
            ours = self.listing(
                [EPEMU, "-v", "-o", folder + "/log"], lambda: None)
            self.assertEqual(ours, native)

    def test_failure_without_standard_error(self):
        """Nothing may be written into a file that happens to be 2."""
        with tempfile.TemporaryDirectory() as folder:
            result = self.run_it(
                ["sh", "-c", 'exec 2>&-; "$@"', "sh", EPEMU, "-v", "true"],
                cwd=folder)
            self.assertEqual((result.returncode, result.stdout), (0, ""))
            result = self.run_it(
                ["sh", "-c", 'exec <&- >&- 2>&-; "$@"', "sh", EPEMU,
                 "no-such-program"])
            self.assertEqual(result.returncode, 127)


if __name__ == "__main__":
    main()
