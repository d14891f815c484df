# SPDX-License-Identifier: MIT
"""--warn-stall: who hangs is told of, who only waits is not."""

from common import EPEMU, PYTHON, Case, main, wait_until

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
    # A signal is to come.
    "signal": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(event, 1))
""",
    # Another process may write.
    "fork": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
""",
    # Another thread may write.
    "thread": """
event = os.eventfd(0)
epoll.register(event, select.EPOLLIN)
threading.Thread(target=sys.stdin.read).start()
""",
}

HEAD = ("import ctypes, os, select, signal, socket, sys, threading\n"
        "epoll = select.epoll()\n")
TAIL = "\nprint('ready', flush=True)\nepoll.poll()\n"


class Stall(Case):
    """Each program in turn."""

    def begin(self, script):
        return self.start_script(HEAD + script + TAIL, "--warn-stall=0.4")

    def stop(self, process):
        process.terminate()
        process.wait(60)

    def told(self, name, *parts):
        """The warnings about a program that hangs."""
        process = self.begin(HANGS[name])
        wait_until(lambda: "epemu: stall: " in self.messages(), name)
        # The state follows.
        wait_until(lambda: "epemu: the state now\n" in self.messages(), name)
        self.stop(process)
        lines = [line for line in self.messages().splitlines()
                 if line.startswith("epemu: stall: ")]
        self.assertEqual(len(lines), 1, lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_unread(self):
        self.told("unread", "<pipe:[", "is ready for IN",
                  "not read to its end")

    def test_eventfd(self):
        self.told("eventfd", "nothing can wake process", "(1)")

    def test_oneshot(self):
        self.told("oneshot", "nothing can wake process", "(1)")

    def test_threads(self):
        self.told("threads", "nothing can wake process", "(2)")

    def test_read(self):
        self.told("read", "nothing can wake process", "(1)")

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
        lines = [line for line in self.messages().splitlines()
                 if line.startswith("epemu: stall: ")]
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
             "def write():\n"
             "    time.sleep(0.005)\n"
             "    os.write(other, b'ab')\n"
             "forever(epoll.poll)\n"
             "forever(write)\n"
             "end = time.monotonic() + 4\n"
             "while time.monotonic() < end:\n"
             "    epoll.poll()\n"
             "    os.read(pipe, 1)\n"
             "os._exit(0)\n"])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(self.messages(), "")


main()
