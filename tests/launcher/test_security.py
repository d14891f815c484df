# SPDX-License-Identifier: MIT
"""What SECURITY.md claims of the command, claim by claim; that file names the
test of each. What is opened, run and reached: test_reach.py."""

import os
import shutil
import stat
import tempfile

from harness import DIFFERS, EPEMU, TestCase, main

OWNER, OTHER = 64321, 64322
TRACED = ["/usr/bin/python3", "-c", "import select; select.epoll()"]
OPTIONS = ("-o", "--trace", "--record")


def words_of(option, path):
    return ["-v", "-o", path] if option == "-o" else [f"{option}={path}"]


class Claims(TestCase):
    """With a folder and a copy of epemu that any user can reach."""

    def setUp(self):
        super().setUp()
        self.folder = self.new_folder(0o755)
        self.epemu = shutil.copy(EPEMU, self.folder)

    def needs_root(self):
        if os.geteuid() != 0:
            self.lacks("not root")


class Files(Claims):
    """Files that are written."""

    def sticky(self, owner=0):
        """A folder in which all may write."""
        folder = tempfile.mkdtemp(dir=self.folder)
        os.chmod(folder, 0o1777)
        if os.geteuid() == 0:
            os.chown(folder, owner, owner)
        return folder

    def run_as(self, user, option, path):
        more = {} if user is None else {"user": user, "group": user,
                                        "extra_groups": []}
        return self.run_it([self.epemu, *words_of(option, path), *TRACED],
                           cwd="/", **more)

    def assert_refused(self, result):
        self.assertEqual((result.returncode, result.stdout), (125, ""))
        self.assertRegex(result.stderr, r"\Aepemu: cannot write '[^\n]*': "
                                        r"(another user has put it there|"
                                        r"Permission denied)[^\n]*\n\Z")

    def test_mode(self):
        """Nobody else can read what was not there before."""
        for option in OPTIONS:
            path = os.path.join(self.folder, "new")
            os.umask(0o022)
            self.assertEqual(self.run_as(None, option, path).returncode, 0)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertGreater(os.stat(path).st_size, 0)
            # One that is there stays as it is, but for its text.
            os.chmod(path, 0o644)
            with open(path, "a", encoding="ascii") as file:
                file.write("x" * 100000)
            self.assertEqual(self.run_as(None, option, path).returncode, 0)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)
            self.assertLess(os.stat(path).st_size, 100000)
            os.remove(path)

    def test_links_of_others(self):
        """Not followed in a folder that all may write to, also where the
        kernel would; the file that they lead to is as it was."""
        self.needs_root()
        for option in OPTIONS:
            for owner, user in ((0, OWNER), (OTHER + 1, OWNER), (0, 0)):
                folder = self.sticky(owner)
                target = os.path.join(self.folder, "target")
                with open(target, "w", encoding="ascii") as file:
                    file.write("as it was")
                os.chown(target, user, user)
                link = os.path.join(folder, "link")
                os.symlink(target, link)
                os.chown(link, OTHER, OTHER, follow_symlinks=False)
                # By way of another one, from a folder of one's own.
                first = os.path.join(self.folder, "first")
                os.symlink(link, first)
                # As a folder on the way.
                into = os.path.join(folder, "into")
                os.symlink(self.folder, into)
                os.chown(into, OTHER, OTHER, follow_symlinks=False)
                for path in (link, first, os.path.join(into, "target"),
                             os.path.join(into, "new")):
                    with self.subTest(option=option, owner=owner, path=path):
                        self.assert_refused(self.run_as(user, option, path))
                with open(target, encoding="ascii") as file:
                    self.assertEqual(file.read(), "as it was")
                os.remove(first)

    def test_links_that_may_be_followed(self):
        """One's own, the folder's owner's, and those in other folders."""
        self.needs_root()
        for option in OPTIONS:
            for folder_owner, link_owner, mode in (
                    (0, OWNER, 0o1777), (OTHER, OTHER, 0o1777),
                    (0, OTHER, 0o755)):
                folder = self.sticky(folder_owner)
                os.chmod(folder, mode)
                target = os.path.join(self.sticky(OWNER), "target")
                link = os.path.join(folder, "link")
                os.symlink(os.path.relpath(target, folder), link)
                os.chown(link, link_owner, link_owner, follow_symlinks=False)
                result = self.run_as(OWNER, option, link)
                with self.subTest(option=option, link_owner=link_owner):
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertGreater(os.stat(target).st_size, 0)

    def test_files_of_others(self):
        """What another user has put there is not written to."""
        self.needs_root()
        for option in OPTIONS:
            for make in (os.mkfifo, lambda path: open(path, "w").close()):
                path = os.path.join(self.sticky(), "file")
                make(path)
                os.chmod(path, 0o666)
                os.chown(path, OTHER, OTHER)
                for user in (OWNER, 0):
                    with self.subTest(option=option, user=user):
                        self.assert_refused(self.run_as(user, option, path))
                # Those of the folder's owner are.
                if make is not os.mkfifo:
                    os.chown(path, 0, 0)
                    result = self.run_as(OWNER, option, path)
                    self.assertEqual(result.returncode, 0, result.stderr)

    def test_second_names(self):
        """A file of one's own that has another name may have been given this
        one by somebody else."""
        for option in OPTIONS:
            folder = self.sticky()
            path, other = (os.path.join(folder, name) for name in "ab")
            with open(other, "w", encoding="ascii") as file:
                file.write("as it was")
            os.link(other, path)
            self.assert_refused(self.run_as(None, option, path))
            with open(other, encoding="ascii") as file:
                self.assertEqual(file.read(), "as it was")
            os.remove(other)
            self.assertEqual(self.run_as(None, option, path).returncode, 0)

    def test_loops_and_names(self):
        one, two = (os.path.join(self.folder, name) for name in "ab")
        os.symlink(one, two)
        os.symlink(two, one)
        for path, words in ((one, "Too many levels of symbolic links"),
                            (self.folder, "Is a directory"),
                            (self.folder + "/", "Is a directory"),
                            ("x" * 300, "File name too long"),
                            ("/" + "x/" * 3000, "File name too long"),
                            (self.epemu + "/x", "Not a directory"),
                            ("", "No such file or directory")):
            result = self.run_it([EPEMU, f"--trace={path}", "true"])
            self.assertEqual(result.returncode, 125)
            self.assertRegex(result.stderr, rf"\Aepemu: [^\n]*{words}[^\n]*\n")
        for path in ("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"):
            result = self.run_it([EPEMU, f"--trace={path}", *TRACED])
            self.assertEqual(result.returncode, 0)
            self.assertIn("epoll_create1", result.stderr)


class Rights(Claims):
    """What epemu may do, and what a program under it may."""

    user = {"user": OWNER, "group": OWNER, "extra_groups": []}

    def set_user_id(self):
        """A program of root's that says as whom it runs."""
        path = os.path.join(self.folder, "id")
        shutil.copy("/usr/bin/id", path)
        os.chmod(path, 0o4755)
        return [path, "-u"]

    def test_set_user_id_without_rights(self):
        """NO_NEW_PRIVS is set: nothing is gained."""
        self.needs_root()
        argv = self.set_user_id()
        self.assertEqual(self.run_it(argv, **self.user).stdout, "0\n")
        self.assertEqual(self.run_it([self.epemu, *argv], **self.user).stdout,
                         f"{OWNER}\n")

    def test_set_user_id_with_rights(self):
        self.needs_root()
        become = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}",
                  "--clear-groups", "--"]
        for prefix in self.ways():
            result = self.run_it([*prefix, *become, *self.set_user_id()])
            self.assertEqual(result.stdout, "0\n", result.stderr)

    def test_process_that_may_not_be_traced(self):
        """Without CAP_SYS_PTRACE its calls fail, and eventfds work."""
        self.needs_root()
        program = shutil.copy(DIFFERS, self.folder)
        argv = [program, "undumpable"]
        self.assertEqual(self.run_it(argv, **self.user).stdout,
                         "ctl works, wait works, write works\n")
        result = self.run_it([self.epemu, *argv], **self.user)
        self.assertEqual(result.stdout,
                         "ctl EPERM, wait EPERM, write works\n")
        self.assertRegex(result.stderr, r"\Aepemu: [^\n]*traced[^\n]*\n\Z")
        result = self.run_it([self.epemu, *argv])
        self.assertEqual(result.stdout,
                         "ctl works, wait works, write works\n")

    def test_process_becomes_untraceable_in_a_wait(self):
        self.needs_root()
        code = ("import ctypes, os, select, threading, time\n"
                "epoll, counter = select.epoll(), os.eventfd(0)\n"
                "epoll.register(counter, select.EPOLLIN)\n"
                "def wait():\n"
                "    try:\n"
                "        print(len(epoll.poll()), 'event')\n"
                "    except PermissionError:\n"
                "        print('EPERM')\n"
                "thread = threading.Thread(target=wait)\n"
                "thread.start()\n"
                "time.sleep(0.2)\n"
                "ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE\n"
                "os.eventfd_write(counter, 1)\n"
                "thread.join()\n")
        argv = ["/usr/bin/python3", "-c", code]
        self.assertEqual(self.run_it(argv, **self.user).stdout, "1 event\n")
        result = self.run_it([self.epemu, *argv], **self.user)
        self.assertEqual(result.stdout, "EPERM\n")
        self.assertRegex(result.stderr, r"\Aepemu: [^\n]*traced[^\n]*\n\Z")


# Has its tracer, and waits under a mask of its own again and again.
TRACED_WAITS = """
import ctypes, os, select
libc = ctypes.CDLL(None, use_errno=True)
mask = (ctypes.c_ulong * 16)(1 << 9)
events = (ctypes.c_char * 64)()
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
    epoll = select.epoll()
    for _ in range(20):
        libc.epoll_pwait(epoll.fileno(), events, 1, 1, mask)
    os._exit(5)
print(os.waitpid(child, 0)[1] >> 8)
"""


class Messages(TestCase):
    """A program cannot make epemu say the same again and again."""

    def test_waits_of_a_traced_thread(self):
        for prefix in self.ways():
            result = self.run_it([*prefix, "python3", "-c", TRACED_WAITS])
            self.assertEqual(result.stdout, "5\n", result.stderr)
        self.assertRegex(result.stderr, r"\Aepemu: thread \d+ is traced by a "
                                        r"debugger[^\n]*\n\Z")


if __name__ == "__main__":
    main()
