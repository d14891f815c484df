# SPDX-License-Identifier: MIT
"""--warn-stall: who hangs is told of, who only waits is not."""

import os
import pathlib

from common import EPEMU, PYTHON, Case, main, wait_until

CACHE = pathlib.Path(os.environ.get("EPEMU_CACHE", os.path.join(
    os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
    "epemu")))

# Each says "ready", and hangs or idles then.
HANGS = {
    # Half of what came was read; there will be no other edge.
    "unread": """
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN | select.EPOLLET)
os.write(other, b"ab")
epoll.poll()
os.read(pipe, 1)
""",
    # Nobody writes.
    "eventfd": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
""",
    # The item was not armed again.
    "oneshot": """
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN | select.EPOLLONESHOT)
os.write(other, b"ab")
epoll.poll()
""",
    # Both threads wait, one of them for the other.
    "threads": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN | select.EPOLLET)
thread = threading.Thread(target=epoll.poll)
thread.start()
print("ready", flush=True)
thread.join()
""",
    # A read that nobody ends.
    "read": """
event = os.eventfd(0)
print("ready", flush=True)
os.read(event, 8)
""",
    # Nobody but the sleeper itself could write.
    "pipe": """
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN)
""",
    "pair": """
ours, its = socket.socketpair()
epoll.register(ours, select.EPOLLIN | select.EPOLLET)
""",
    # Like tokio: its own eventfd is edge-triggered and never read, and the
    # socket could be written to all the time.
    "tokio": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN | select.EPOLLET)
ours, its = socket.socketpair()
epoll.register(ours, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP
               | select.EPOLLET)
os.eventfd_write(event, 1)
while epoll.poll(0):
    pass
""",
    "nested": """
pipe, other = os.pipe()
inner = select.epoll()
inner.register(pipe, select.EPOLLIN)
epoll.register(inner, select.EPOLLIN)
""",
    # The thread's futex is in memory of its own, though not marked so.
    "futex": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
word = ctypes.c_int(0)
threading.Thread(target=wait_futex, args=[word]).start()
""",
    # Who has the other end has nothing to do with it any more.
    "ended": """
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN)
if os.fork() == 0:
    os._exit(0)
os.wait()
""",
    # Each of two processes waits for the other.
    "group": """
one, other = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    one, other = other, one
os.close(one[1])
os.close(other[0])
epoll = select.epoll()
epoll.register(one[0], select.EPOLLIN)
if child == 0:
    epoll.poll()
    os._exit(0)
""",
}

IDLES = {
    "listening": """
server = socket.create_server(("127.0.0.1", 0))
epoll.register(server, select.EPOLLIN)
""",
    "timeout": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
print("ready", flush=True)
epoll.poll(600)
""",
    "timer": """
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(1, 0)
new = (ctypes.c_long * 4)(0, 0, 600, 0)
assert timer >= 0 and libc.timerfd_settime(timer, 0, new, None) == 0
epoll.register(timer, select.EPOLLIN)
""",
    "pipe": """
epoll.register(0, select.EPOLLIN)
""",
    # The other end is another process's.
    "child": """
pipe, other = os.pipe()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os.close(other)
epoll = select.epoll()
epoll.register(pipe, select.EPOLLIN)
""",
    "pair": """
ours, its = socket.socketpair()
if os.fork() == 0:
    ours.close()
    sys.stdin.read()
    os._exit(0)
its.close()
epoll = select.epoll()
epoll.register(ours, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP
               | select.EPOLLET)
while epoll.poll(0):
    pass
""",
    # Somebody may connect, or send.
    "named": """
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("")
epoll.register(server, select.EPOLLIN)
""",
    "nested": """
inner = select.epoll()
inner.register(0, select.EPOLLIN)
epoll.register(inner, select.EPOLLIN)
""",
    # Another process may put a ready file into the epoll.
    "epoll": """
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
""",
    # One of two that wait for each other can be woken by a third.
    "group": """
one, other = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    one, other = other, one
os.close(one[1])
os.close(other[0])
epoll = select.epoll()
epoll.register(one[0], select.EPOLLIN)
if child == 0:
    pipe, writer = os.pipe()
    if os.fork() == 0:
        os.close(one[0])
        os.close(other[1])
        sys.stdin.read()
        os._exit(0)
    os.close(writer)
    epoll.register(pipe, select.EPOLLIN)
    epoll.poll()
    os._exit(0)
""",
    # A handler may write to the pipe. Python's own of SIGINT is such a one.
    "interrupt": """
signal.signal(signal.SIGINT, signal.default_int_handler)
pipe, other = os.pipe()
epoll.register(pipe, select.EPOLLIN)
""",
    # Another process may have that memory as well.
    "futex": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
word = ctypes.c_int.from_buffer(mmap.mmap(-1, 4096))
threading.Thread(target=wait_futex, args=[word]).start()
""",
    "timed": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
threading.Thread(target=threading.Event().wait, args=[600]).start()
""",
    # It goes on as soon as somebody continues it.
    "stopped": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
threading.Thread(target=epoll.poll).start()
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
""",
    # A signal is to come.
    "signal": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(event, 1))
""",
    # Another process may write.
    "fork": """
event = os.eventfd(0)
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
epoll = select.epoll()
epoll.register(event, select.EPOLLIN)
""",
    # Another thread may write.
    "thread": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
threading.Thread(target=sys.stdin.read).start()
""",
}

# Without a handler of Python's for SIGINT, which may be there to wake somebody.
HEAD = """
import ctypes, mmap, os, platform, select, signal, socket, sys, threading
def wait_futex(word):
    number = {"x86_64": 202, "aarch64": 98}[platform.machine()]
    ctypes.CDLL(None).syscall(number, ctypes.byref(word), 0, 0, None)
signal.signal(signal.SIGINT, signal.SIG_DFL)
epoll = select.epoll()
"""
TAIL = "\nprint('ready', flush=True)\nepoll.poll()\n"


class Stall(Case):
    """Each program in turn."""

    def begin(self, script):
        return self.start_script(HEAD + script + TAIL, "--warn-stall=0.4")

    def stop(self, process):
        process.terminate()
        process.wait(60)

    def warnings(self):
        return [line for line in self.messages().splitlines()
                if line.startswith("epemu: stall: ")]

    def told(self, name, *parts, count=1):
        """The warnings about a program that hangs."""
        process = self.begin(HANGS[name])
        wait_until(lambda: len(self.warnings()) >= count, name)
        # The state follows.
        wait_until(lambda: "epemu: the state now\n" in self.messages(), name)
        self.stop(process)
        lines = self.warnings()
        self.assertEqual(len(lines), count, lines)
        for line in lines:
            for part in parts:
                self.assertIn(part, line)

    def test_unread(self):
        self.told("unread", "<pipe:[", "is ready for IN",
                  "not read to its end")

    def test_hangs(self):
        """One thread that nothing can wake."""
        for name in ("eventfd", "oneshot", "read", "pipe", "pair", "tokio",
                     "nested", "ended"):
            with self.subTest(name):
                self.told(name, "nothing can wake process", "(1)",
                          "no other process has")

    def test_hangs_with_two_threads(self):
        for name in ("threads", "futex"):
            with self.subTest(name):
                self.told(name, "nothing can wake process", "(2)")

    def test_group(self):
        self.told("group", "nothing can wake process", "(1)",
                  "no other process that does not hang like this has",
                  count=2)

    def tokio(self, case, kind):
        """The command line of one of the tokio programs; skips without."""
        path = CACHE / "bin/epemu-tokio"
        if not path.exists():
            self.lacks("the tokio programs are not built")
        return [str(path), case, kind]

    def test_a_lost_wake(self):
        """The wake-up goes to a task that no longer waits."""
        for kind, threads in (("ct", 1), ("mt", 5)):
            process = self.start([EPEMU, "-o", self.log, "--warn-stall=0.4",
                                  *self.tokio("answer-lost", kind)])
            self.assertIn("no answer yet", process.stdout.readline())
            wait_until(self.warnings, kind)
            self.stop(process)
            self.assertEqual(len(self.warnings()), 1)
            self.assertRegex(
                self.warnings()[0],
                r'nothing can wake process \d+ "epemu-tokio" but a signal: '
                rf"all its threads \({threads}\) sleep")

    def test_a_wake_that_is_not_lost(self):
        for kind in ("ct", "mt"):
            run = self.run_it([EPEMU, "-o", self.log, "--warn-stall=0.01",
                               *self.tokio("answer", kind)])
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn("answer: 42\n", run.stdout)
            self.assertEqual(self.messages(), "")

    def test_what_it_was_given(self):
        """Who made it may be hidden from epemu. The program waits for a pipe
        that nobody else has any more, and its child, later, for an eventfd."""
        pipe = os.pipe()
        script = HEAD + f"""
import time
parent = os.getpid()
child = os.fork()
epoll = select.epoll()
if child == 0:
    settled = 0
    while settled < 20:
        with open(f"/proc/{{parent}}/stat") as file:
            asleep = file.read().rpartition(")")[2].split()[0] == "S"
        settled = settled + 1 if asleep else 0
        time.sleep(0.005)
    epoll.register(os.eventfd(0), select.EPOLLIN)
    epoll.poll()
print(child, flush=True)
epoll.register({pipe[0]}, select.EPOLLIN)
epoll.poll()
"""
        process = self.start([EPEMU, "-o", self.log, "--warn-stall=0.4",
                              PYTHON, "-c", script], pass_fds=pipe)
        for end in pipe:
            os.close(end)
        child = int(process.stdout.readline())
        wait_until(self.warnings, "the child")
        os.kill(child, 9)
        self.stop(process)
        lines = self.warnings()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"process {child} ", lines[0])

    def test_who_idles_is_not_told_of(self):
        """All idle under one epemu with one that hangs, which they are older
        than: once it is told of, they would have been."""
        scripts = [HEAD + script + TAIL for script in IDLES.values()]
        scripts.append(HEAD + HANGS["eventfd"] + TAIL)
        starter = (
            "import os, signal, subprocess, sys, time\n"
            f"scripts = {scripts!r}\n"
            "children = []\n"
            "for script in scripts:\n"
            "    child = subprocess.Popen([sys.executable, '-c', script],\n"
            "        stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
            "    assert child.stdout.readline() == b'ready\\n'\n"
            "    children.append(child)\n"
            "print('ready', flush=True)\n"
            "print(children[-1].pid, flush=True)\n"
            "sys.stdin.read()\n"
            "for child in children:\n"
            "    child.kill()\n")
        process = self.start_script(starter, "--warn-stall=0.4")
        hangs = process.stdout.readline().strip()
        wait_until(lambda: "epemu: stall: " in self.messages(), "a stall")
        self.end(process)
        lines = self.warnings()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"process {hangs} ", lines[0])

    def test_a_busy_program_is_not_told_of(self):
        """Two threads share an epoll. The newest sleeper is woken first, so
        one of them gets the work while the other sleeps on; the file is
        never read to its end."""
        result = self.run_it(
            [EPEMU, "-o", self.log, "--warn-stall=1", PYTHON, "-c", HEAD +
             "import time\n"
             "pipe, other = os.pipe()\n"
             "epoll.register(pipe, select.EPOLLIN | select.EPOLLET)\n"
             "def forever(function):\n"
             "    def run():\n"
             "        while True:\n"
             "            function()\n"
             "    threading.Thread(target=run, daemon=True).start()\n"
             "def work():\n"
             "    epoll.poll()\n"
             "    os.read(pipe, 1)\n"
             "forever(epoll.poll)\n"
             "forever(work)\n"
             "for _ in range(800):\n"
             "    time.sleep(0.005)\n"
             "    os.write(other, b'ab')\n"
             "os._exit(0)\n"])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(self.messages(), "")


main()
