# SPDX-License-Identifier: MIT
"""Who reaches whom: a program the supervisor, one epemu another, and what epemu
itself opens, runs and connects to. SECURITY.md says what is claimed."""

import os
import pathlib
import re
import tempfile

from harness import DIFFERS, EPEMU, PYTHON, TestCase, main, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REACH = os.path.join(os.path.dirname(DIFFERS), "reach")
# Files of /proc/PID that everybody may read, and the folder itself.
PUBLIC = {"", "comm", "mountinfo", "stat", "status", "task"}

# The giver makes an epoll and an eventfd and hands both to the taker, which
# runs under no epemu or another one. The eventfd has the same number in both,
# so that natively it is the same item for both.
NUMBER = 200
GIVER = f"""
import os, select, socket, sys
one = os.eventfd(0)
os.dup2(one, {NUMBER})
os.close(one)
epoll = select.epoll()
epoll.register({NUMBER}, select.EPOLLIN)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("ready", flush=True)
taker = server.accept()[0]
socket.send_fds(taker, [b"x"], [epoll.fileno(), {NUMBER}])
# It sleeps when the taker writes.
for value in range(1, 11):
    assert epoll.poll(60) == [({NUMBER}, select.EPOLLIN)]
    assert os.eventfd_read({NUMBER}) == value
    taker.send(b"x")
assert taker.recv(1) == b"x"
# The taker has the epoll now, and looks for what this makes ready.
os.eventfd_write({NUMBER}, 77)
taker.send(b"x")
assert taker.recv(1) == b"x"
print(epoll.poll(0))
print(os.eventfd_read({NUMBER}))
taker.send(b"x")
assert taker.recv(1) == b""
# The taker has ended, and its descriptors are closed.
try:
    epoll.register({NUMBER}, select.EPOLLIN)
except FileExistsError:
    print("it is there still")
else:
    print("it was gone")
os.eventfd_write({NUMBER}, 2)
assert epoll.poll(0) == [({NUMBER}, select.EPOLLIN)]
epoll.unregister({NUMBER})
assert epoll.poll(0) == []
"""
TAKER = f"""
import errno, os, select, socket, sys
def tried(function, *words):
    try:
        function(*words)
        return "works"
    except OSError as error:
        return errno.errorcode[error.errno]
giver = socket.socket(socket.AF_UNIX)
giver.connect(sys.argv[1])
epoll, counter = socket.recv_fds(giver, 1, 2)[1]
os.dup2(counter, {NUMBER})
os.close(counter)
own = select.epoll()
for value in range(1, 11):
    os.eventfd_write({NUMBER}, value)
    assert giver.recv(1) == b"x"
giver.send(b"x")
assert giver.recv(1) == b"x"
epoll = select.epoll.fromfd(epoll)
print(epoll.poll(60))
print(tried(epoll.modify, {NUMBER}, select.EPOLLIN | select.EPOLLOUT))
print(tried(epoll.unregister, {NUMBER}))
# Its own file in that epoll, and that epoll in its own.
pipe, other = os.pipe()
print(tried(epoll.register, pipe, select.EPOLLIN))
os.write(other, b"x")
assert (pipe, select.EPOLLIN) in epoll.poll(60)
own.register(epoll, select.EPOLLIN)
assert own.poll(60) == [(epoll.fileno(), select.EPOLLIN)]
epoll.unregister(pipe)
giver.send(b"x")
assert giver.recv(1) == b"x"
own.register({NUMBER}, select.EPOLLIN)
assert own.poll(0) == []
os.eventfd_write({NUMBER}, 1)
assert ({NUMBER}, select.EPOLLIN) in own.poll(60)
assert os.eventfd_read({NUMBER}) == 1
"""

# Does what has the supervisor look at it in most ways, and hangs: a mask of its
# own, an edge that is not read, a socket, a child, a futex, an execve.
WORK = """
import ctypes, os, select, signal, socket, subprocess, threading
libc = ctypes.CDLL(None)
# A handler of Python's might wake somebody.
signal.signal(signal.SIGINT, signal.SIG_DFL)
subprocess.run(["/bin/true"], check=True)
epoll = select.epoll()
pipe, other = os.pipe()
ours, its = socket.socketpair()
counter = os.eventfd(1)
for file in (pipe, ours, counter):
    epoll.register(file, select.EPOLLIN | select.EPOLLET)
os.write(other, b"ab")
mask, events = (ctypes.c_ulong * 16)(1 << 9), (ctypes.c_char * 64)()
libc.epoll_pwait(epoll.fileno(), events, 1, 100, mask)
while epoll.poll(0):
    pass
os.read(pipe, 1)
lost = threading.Lock()
lost.acquire()
threading.Thread(target=lost.acquire, daemon=True).start()
if os.fork() == 0:
    with select.epoll() as inner:
        inner.register(ours, select.EPOLLIN)
        inner.poll()
epoll.poll()
"""


class Supervisor(TestCase):
    def test_by_32_bit_calls(self):
        """The supervisor's item in a placeholder is not to be had, nor do items
        of the program's own that it puts there upset the emulation."""
        native = self.run_it([REACH])
        self.assertEqual((native.returncode, native.stderr), (0, ""))
        if native.stdout == "the kernel has no 32-bit calls\n":
            self.skipTest(native.stdout.rstrip())
        # There its own two items are to be had, each by MOD and by DEL.
        self.assertEqual(native.stdout,
                         "data 0x1111111122222222, 4 reached\n")
        result = self.run_it([EPEMU, REACH])
        self.assertEqual((result.returncode, result.stdout),
                         (0, "data 0, 0 reached\n"), result.stderr)
        self.assertRegex(result.stderr,
                         r"\Aepemu: [^\n]* runs 32-bit code: [^\n]*\n\Z")


class Neighbours(TestCase):
    """Programs under two epemus at once."""

    def hand_over(self, giving, taking):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            giver = self.start([*giving, PYTHON, "-c", GIVER, path], stderr=-1)
            self.assertEqual(giver.stdout.readline(), "ready\n")
            taker = self.run_it([*taking, PYTHON, "-c", TAKER, path])
            self.assertEqual((taker.returncode, taker.stderr), (0, ""))
            told, errors = giver.communicate(timeout=60)
            self.assertEqual((giver.returncode, errors), (0, ""))
        return told.splitlines(), taker.stdout.splitlines()

    def test_natively(self):
        """The taker has the giver's item, and takes it away."""
        told, taken = self.hand_over([], [])
        self.assertEqual(taken, [f"[({NUMBER}, 1)]", "works", "works", "works"])
        self.assertEqual(told, ["[]", "77", "it was gone"])

    def test_under_another_epemu(self):
        """The eventfd is the same for both. The epoll is the kernel's: there
        is no item in it but one that says that something is ready."""
        for taking in ([], [EPEMU]):
            told, taken = self.hand_over([EPEMU], taking)
            self.assertEqual(taken, ["[(0, 1)]", "ENOENT", "ENOENT", "works"])
            self.assertEqual(told, [f"[({NUMBER}, 1)]", "77",
                                    "it is there still"])

    def test_from_outside(self):
        """The taker's epemu has no part in an epoll that is the kernel's."""
        told, taken = self.hand_over([], [EPEMU])
        self.assertEqual(taken, [f"[({NUMBER}, 1)]", "works", "works", "works"])
        self.assertEqual(told, ["[]", "77", "it was gone"])


class Opened(TestCase):
    """What epemu runs, opens and connects to, as strace sees it."""

    def setUp(self):
        super().setUp()
        self.folder = self.new_folder()
        self.log = self.path("strace")
        self.env["ASAN_OPTIONS"] = "detect_leaks=0"

    def path(self, name):
        return os.path.join(self.folder, name)

    def strace(self, *options):
        return ["strace", "-f", "-y", "-s", "200", "-o", self.log, "-e",
                "trace=%file,socket,connect", *options]

    def check(self, ran, wrote, netlink=False):
        """What strace has noted is what is allowed, and not less."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        self.assertEqual({os.path.basename(match[1]) for match in (
            re.search(r'execve(?:at)?\([^"]*"([^"]*)"', line) for line in lines)
            if match}, ran)
        written = {os.path.join(match[1] or "", match[2]) for match in (
            re.search(r'open(?:at)?\((?:\w+<([^>]*)>, )?"([^"]*)", [^)]*'
                      r"O_(?:WRONLY|RDWR|CREAT)", line) for line in lines)
            if match}
        self.assertEqual({path for path in written
                          if not path.startswith(("/proc/self/", "/dev/"))},
                         wrote)
        for line in lines:
            self.assertNotRegex(
                line, r" (creat|mk|rename|rmdir|unlink|link|symlink|truncate|"
                      r"chmod|chown|fch|lch|utime|\w*xattr|\w*mount)\w*\(")
        sockets = {match[1] for match in (
            re.search(r"(?:socket|connect)\((.*)", line) for line in lines)
            if match}
        asked = {line for line in sockets if "AF_UNIX" not in line}
        self.assertEqual(bool(asked), netlink, asked)
        for line in asked:
            self.assertRegex(line, r"\AAF_NETLINK, SOCK_RAW\|SOCK_CLOEXEC, "
                                   r"NETLINK_SOCK_DIAG\)")
        return {match[1] for match in (
            re.search(r'"/proc/\d+/?(?:task/\d+/)?([a-z_]*)[/"]', line)
            for line in lines) if match}

    def as_ptrace(self):
        """The files of /proc that SECURITY.md names."""
        text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
        told = re.search(r"the files ([^.]*?)\s+of\s+/proc", text)
        return set(re.findall(r"`(\w+)`", told[1]))

    def test_stacks(self):
        """Its epemu-symbols is followed, too; so is the program."""
        trace = self.path("trace")
        result = self.run_it([*self.strace(), EPEMU, "--stack",
                              f"--trace={trace}", DIFFERS, "calls"])
        self.assertEqual(result.stdout, "ctl works, wait works, write works\n",
                         result.stderr)
        seen = self.check({"differs", "epemu", "epemu-symbols"}, {trace})
        self.assertEqual(seen - PUBLIC - self.as_ptrace(), set())
        self.assertIn("map_files", seen)

    def test_all_options(self):
        """Of the program no more is followed than its start, since it could
        else not be traced by epemu."""
        files = [self.path(name) for name in ("trace", "record", "messages")]
        for kind in (["--stats"],
                     ["--stats=json", "--trace-format=json"],
                     ["--stats=json", "--trace-format=perfetto"]):
            for name in files:
                if os.path.exists(name):
                    os.remove(name)
            process = self.start([
                *self.strace("-b", "execve"), EPEMU, "-v", f"--trace={files[0]}",
                f"--record={files[1]}", "-o", files[2], *kind, "--stack",
                "--stats-interval=0.1", "--warn-stall=0.3", PYTHON, "-c", WORK])
            wait_until(lambda: os.path.exists(files[2]) and
                       self.told(files[2]), "a word of a hang")
            for pid in self.marked():
                if self.is_program(pid):
                    os.kill(pid, 9)
            process.wait(60)
            seen = self.check(
                {"epemu", "epemu-symbols", os.path.basename(PYTHON)},
                set(files), netlink=True)
            self.assertEqual(seen - PUBLIC - self.as_ptrace(), set())
            self.assertLessEqual({"fd", "fdinfo", "maps", "syscall"},
                                 seen)

    @staticmethod
    def told(path):
        with open(path, encoding="utf-8") as file:
            return "nothing can wake" in file.read()

    @staticmethod
    def is_program(pid):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                return file.read().startswith("python")
        except OSError:
            return False


if __name__ == "__main__":
    main()
