# SPDX-License-Identifier: MIT
"""Odd environments: limits, closed descriptors, ignored signals, name spaces.

A row says how the environment is made. Either all goes on as it does natively,
or epemu says in one line what is missing, and exits with 125."""

import itertools
import os
import resource
import shutil
import signal

from harness import (EPEMU, PYTHON, USER, TestCase, has_address_sanitizer,
                     limit_files, main, wait_until)

WORDS = ["sh", "-c", "echo hi; exit 3"]
# What is written, and by which options, when something is.
OPTIONS = (["-v", "-o", "{}/log"], ["--trace={}/trace", "--stack"],
           ["--trace={}/trace", "--trace-format=json",
            "--record={}/sequence"],
           ["--trace={}/trace", "--trace-format=perfetto", "--stats=json",
            "--warn-stall=0.1", "-o", "{}/log"])


def limit(which, value):
    return {"preexec_fn": lambda: resource.setrlimit(which, (value, value))}


class Limits(TestCase):
    """Rows of the table, each a test."""

    def setUp(self):
        super().setUp()
        self.folder = self.new_folder(0o777)
        # Where another user may not look into the sources.
        self.epemu = shutil.copy(EPEMU, self.folder)

    def needs_root(self):
        if os.geteuid() != 0:
            self.lacks("not root")

    def as_natively(self, argv, before=(), **more):
        """Natively, then without options and with all kinds of them."""
        native = self.run_it([*before, *argv], **more)
        for options in ([], *OPTIONS):
            options = [option.format(self.folder) for option in options]
            with self.subTest(options=options):
                ours = self.run_it([*before, self.epemu, *options, *argv],
                                   **more)
                self.assertEqual((ours.returncode, ours.stdout),
                                 (native.returncode, native.stdout),
                                 ours.stderr)
                for name in os.listdir(self.folder):
                    if name != "epemu":
                        os.remove(os.path.join(self.folder, name))
        return native

    def refused(self, words, before=(), argv=("true",), **more):
        """The program runs natively. epemu names what is missing."""
        self.assertEqual(self.run_it([*before, *argv], **more).returncode, 0)
        ours = self.run_it([*before, self.epemu, *argv], **more)
        self.assertEqual((ours.returncode, ours.stdout), (125, ""))
        self.assertRegex(ours.stderr, rf"\Aepemu: [^\n]*{words}[^\n]*\n\Z")

    # Limits

    def test_files_of_no_size(self):
        more = limit(resource.RLIMIT_FSIZE, 0)
        self.assertEqual(self.as_natively(WORDS, **more).returncode, 3)
        result = self.run_it(
            [EPEMU, f"--trace={self.folder}/trace", PYTHON, "-c",
             "import select; select.epoll()"], **more)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"\Aepemu: cannot write the trace to "
                                        r"'[^\n]*': File too large; [^\n]*\n\Z")

    def test_open_files(self):
        for count in range(6, 19):
            with self.subTest(count=count):
                self.refused("(files|descriptors)",
                             preexec_fn=limit_files(count))

    def test_stack(self):
        if has_address_sanitizer():
            return  # which needs more itself
        for size in (24, 32, 64, 1024):
            for _ in range(3):
                self.as_natively(WORDS, **limit(resource.RLIMIT_STACK,
                                                size << 10))
        # With less the dynamic linker may end, of a program or of epemu: the
        # kernel counts a random offset of the stack as well. Then no word of
        # either is heard, and a signal is their status.
        for size in (4, 8, 12, 16, 20):
            more = limit(resource.RLIMIT_STACK, size << 10)
            found = {prefix: {(result.returncode, result.stdout, result.stderr)
                              for _ in range(10) for result in
                              [self.run_it([*prefix, *WORDS], **more)]}
                     for prefix in ((), (self.epemu,))}
            with self.subTest(size=size):
                self.assertLessEqual(
                    found[()] | found[self.epemu,],
                    {(3, "hi\n", ""), (-signal.SIGSEGV, "", "")})
                # This much is too little for any program.
                if size == 4:
                    self.assertEqual(found[()], found[self.epemu,])

    def test_memory(self):
        if has_address_sanitizer():
            return  # which maps terabytes
        self.as_natively(WORDS, **limit(resource.RLIMIT_AS, 64 << 20))

    def test_processes(self):
        """As many as there are, and from there on as many as are needed."""
        self.needs_root()
        for more in range(6):
            def lower(more=more):
                resource.setrlimit(resource.RLIMIT_NPROC, (more, more))
            # A user of its own: what others run is not counted.
            result = self.run_it([self.epemu, "true"], user=64321 + more,
                                 group=65534, extra_groups=[], cwd="/",
                                 preexec_fn=lower)
            with self.subTest(more=more):
                self.assertIn(result.returncode, (0, 125))
                if result.returncode:
                    self.assertRegex(result.stderr,
                                     r"\Aepemu: [^\n]*processes[^\n]*\n\Z")
                else:
                    self.assertEqual(result.stderr, "")
                self.assertEqual(result.returncode, 125 if more < 3 else 0,
                                 result.stderr)

    def test_other_limits(self):
        for which in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK,
                      resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE,
                      resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO):
            with self.subTest(which=which):
                self.as_natively(WORDS, **limit(which, 0), **(
                    USER if os.geteuid() == 0 else {}))

    # Descriptors and signals

    def test_closed_descriptors(self):
        """The program finds those closed, too."""
        for count in range(4):
            for closed in itertools.combinations("012", count):
                script = 'n=$1; shift; exec 9>&1; exec "$@"' + "".join(
                    f" {fd}>&-" for fd in closed)
                argv = ["sh", "-c", "ls /proc/$$/fd >&9; exit 3"]
                native = self.run_it(["sh", "-c", script, "sh", "", *argv])
                self.assertEqual(native.returncode, 3)
                for options in ([], ["-o", f"{self.folder}/log", "-v"]):
                    ours = self.run_it(["sh", "-c", script, "sh", "", EPEMU,
                                        *options, *argv])
                    with self.subTest(closed=closed, options=options):
                        self.assertEqual((ours.returncode, ours.stdout),
                                         (3, native.stdout))

    def test_all_signals_are_ignored(self):
        def ignore():
            for number in range(1, signal.NSIG):
                if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                    signal.signal(number, signal.SIG_IGN)
        self.as_natively(["grep", "Sig[BI]", "/proc/self/status"],
                         preexec_fn=ignore)
        self.as_natively(WORDS, preexec_fn=ignore)

    def test_all_signals_are_blocked(self):
        def block():
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        self.as_natively(["grep", "Sig[BI]", "/proc/self/status"],
                         preexec_fn=block)

    # The file system

    def test_no_proc(self):
        self.needs_root()
        self.refused("/proc is not there: mount it", before=(
            "unshare", "-m", "sh", "-c", 'umount -l /proc; exec "$@"', "sh"))

    def test_proc_of_another_name_space(self):
        self.needs_root()
        self.refused("/proc is that of another pid name space", before=(
            "unshare", "-p", "-f", "sh", "-c", '"$@"', "sh"))

    def test_read_only(self):
        self.needs_root()
        before = ("unshare", "-m", "sh", "-c",
                  'mount --bind / "$0" && mount -o remount,ro,bind "$0" && '
                  'mount --bind /proc "$0/proc" && '
                  'mount --bind /dev "$0/dev" && exec chroot "$0" "$@"',
                  self.folder)
        shutil.copy(EPEMU, "/var/tmp/epemu-test-limits")
        self.addCleanup(os.remove, "/var/tmp/epemu-test-limits")
        native = self.run_it([*before, *WORDS])
        self.assertEqual(native.returncode, 3, native.stderr)
        for option in ([], ["-v"]):
            ours = self.run_it([*before, "/var/tmp/epemu-test-limits", *option,
                                *WORDS])
            self.assertEqual((ours.returncode, ours.stdout), (3, "hi\n"),
                             ours.stderr)
        ours = self.run_it([*before, "/var/tmp/epemu-test-limits",
                            "--trace=/var/tmp/trace", *WORDS])
        self.assertEqual((ours.returncode, ours.stdout), (125, ""))
        self.assertRegex(ours.stderr, r"\Aepemu: cannot write '/var/tmp/trace'"
                                      r": Read-only file system;[^\n]*\n\Z")

    def test_folder_is_gone(self):
        script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"'
        self.as_natively(WORDS, before=("sh", "-c", script, "sh",
                                        f"{self.folder}/gone"))

    def test_umask(self):
        self.as_natively(WORDS, preexec_fn=lambda: os.umask(0o777))

    # Name spaces and control groups

    def test_user_and_pid_name_space(self):
        before = ("unshare", "-U", "-r", "-p", "-f", "--mount-proc")
        if self.run_it([*before, "true"]).returncode:
            self.lacks("no user name spaces")
        self.as_natively(WORDS, before=before)

    def test_cgroup_of_few_processes(self):
        group = self.cgroup()
        for most, status in ((3, 125), (40, 3)):
            self.write(f"{group}/pids.max", most)
            result = self.run_it([EPEMU, *WORDS])
            self.assertEqual(result.returncode, status, result.stderr)
            if status == 125:
                self.assertRegex(result.stderr,
                                 r"\Aepemu: [^\n]*processes[^\n]*\n\Z")

    def cgroup(self):
        """The test in a group of its own that can limit processes."""
        top, home = self.pids_controller()
        path = f"{top}/epemu-test-{os.getpid()}"
        try:
            os.mkdir(path)
        except OSError as error:
            self.lacks(f"no control group to be made: {error}")
        self.addCleanup(self.remove_group, path)
        self.write(f"{path}/cgroup.procs", 0)
        self.addCleanup(self.write, f"{home}/cgroup.procs", 0)
        return path

    def pids_controller(self):
        """The mounted hierarchy that limits processes, and our place in it."""
        with open("/proc/self/cgroup", encoding="ascii") as file:
            places = [line.rstrip().split(":", 2) for line in file]
        with open("/proc/mounts", encoding="ascii") as file:
            mounts = [line.split() for line in file]
        for _, top, kind, options, *_ in mounts:
            first = kind == "cgroup" and "pids" in options.split(",")
            if kind == "cgroup2" and "pids" in self.controllers(top):
                self.write(f"{top}/cgroup.subtree_control", "+pids")
            elif not first:
                continue
            for _, names, place in places:
                if names == "" if not first else "pids" in names.split(","):
                    return top, top + place
        return self.lacks("no hierarchy of control groups with pids")

    @staticmethod
    def controllers(top):
        with open(f"{top}/cgroup.controllers", encoding="ascii") as file:
            return file.read().split()

    @staticmethod
    def write(path, what):
        with open(path, "w", encoding="ascii") as file:
            file.write(str(what))

    @staticmethod
    def remove_group(group):
        def removed():
            try:
                os.rmdir(group)
            except OSError:
                return False
            return True
        wait_until(removed, "an empty group")


if __name__ == "__main__":
    main()
