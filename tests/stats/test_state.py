# SPDX-License-Identifier: MIT
"""The living state: --dump, SIGUSR1 and --stats-interval."""

import os
import re
import resource
import select
import signal
import socket
import subprocess

from common import (EPEMU, Case, main, program_of, supervisor_of,
                    wait_until)

# Ends with its standard input, which is not in the epoll.
LIVING = """
import _socket, ctypes, os, select, sys, threading
epoll = select.epoll()
inner = select.epoll()
event = os.eventfd(0, os.EFD_NONBLOCK)
pipe, other = os.pipe()
full, filler = os.pipe()
once, trigger = os.pipe()
pair = _socket.socketpair()
epoll.register(pipe, select.EPOLLIN | select.EPOLLRDHUP)
epoll.register(event, select.EPOLLIN | select.EPOLLET)
epoll.register(pair[0], select.EPOLLPRI)
epoll.register(inner, select.EPOLLIN)
epoll.register(once, select.EPOLLIN | select.EPOLLONESHOT)
os.write(trigger, b"x")
assert epoll.poll() == [(once, select.EPOLLIN)]
inner.register(full, select.EPOLLIN | select.EPOLLET)
ready = select.epoll()
pipes = [os.pipe() for _ in range(3)]
for place in (1, 0, 2):
    ready.register(pipes[place][0], select.EPOLLIN)
for place in (2, 1, 0):
    os.write(pipes[place][1], b"x")
number = lambda file: os.readlink(f"/proc/self/fd/{file}")
print("ready", flush=True)
print(epoll.fileno(), pipe, number(pipe), event, pair[0].fileno(),
      number(pair[0].fileno()), inner.fileno(), once, full, number(full),
      *[pair[0] for pair in pipes], flush=True)
if "usr1" in sys.argv:
    import signal
    # A handler of Python's runs only once the main thread's read has ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    def catch():
        while signal.sigwait([signal.SIGUSR1]):
            os.write(1, b"caught\\n")
    threading.Thread(target=catch, daemon=True).start()
def wait():
    ctypes.CDLL(None).prctl(15, b"a\\nwaiter", 0, 0, 0)
    epoll.poll(600)
threading.Thread(target=wait, daemon=True).start()
blocked = os.eventfd(0)
def read():
    os.read(blocked, 8)
threading.Thread(target=read, daemon=True).start()
for line in sys.stdin:
    print(len(inner.poll(0)), flush=True)
os._exit(0)
"""

MANY = """
import os, select, sys
epoll = select.epoll()
pipe, other = os.pipe()
for _ in range(900):
    epoll.register(os.dup(pipe), select.EPOLLOUT)
print("ready", flush=True)
for line in sys.stdin:
    os.write(other, b"x")
    print(len(epoll.poll(0)), flush=True)
"""


class Dump(Case):
    """What a dump shows."""

    def living(self, *options):
        process = self.start_script(LIVING, *options)
        words = process.stdout.readline().split()
        return process, words

    def whole(self, process):
        """A dump with both threads asleep."""
        self.dump_with(process, " in read for ")
        return self.dump_with(process, " in epoll_wait for ")

    def test_all_by_name(self):
        process, words = self.living()
        (_, pipe, pipe_name, event, pair, pair_name, inner, once, full,
         full_name, first, second, third) = words
        text = self.whole(process)
        program = program_of(process.pid)
        for line in (
                r"epoll#1: 5 items, 0 on the ready list, 1 waiter",
                rf"  item {pipe}<{re.escape(pipe_name)}> IN\|RDHUP data 0x\w+",
                rf"  item {event}<eventfd#1> IN\|ET data 0x\w+",
                rf"  item {pair}<{re.escape(pair_name)}> PRI data 0x\w+",
                rf"  item {inner}<epoll#2> IN data 0x\w+",
                rf"  item {once}<pipe:\[\d+\]> ONESHOT data 0x\w+, reported "
                r"and not armed again",
                rf'  thread \d+ "a\?waiter" of process {program} in '
                r"epoll_wait for \d+\.\d{3} s, until \d+\.\d{3} s from now",
                r"epoll#2: 1 item, 0 on the ready list, 0 waiters",
                rf"  item {full}<{re.escape(full_name)}> IN\|ET data 0x\w+",
                r"epoll#3: 3 items, 3 on the ready list, 0 waiters",
                rf"  item {first}<pipe:\[\d+\]> IN data 0x\w+, ready for IN, "
                r"queued",
                rf"  ready list: {third} {second} {first}",
                r"eventfd#1: zero, 0 waiters",
                r"eventfd#2: zero, 1 waiter",
                rf'  thread \d+ "python\S*" of process {program} in read for '
                r"\d+\.\d{3} s, without a timeout"):
            self.assertRegex(text, rf"(?m)^{line}$")
        self.assertNotIn("statistics", text)
        self.end(process)

    def test_with_statistics(self):
        process, _ = self.living("--stats")
        self.assertIn("\nstatistics of ", self.whole(process))
        self.end(process)

    def test_it_changes_nothing(self):
        process, _ = self.living()
        first = re.sub(r" \d+\.\d+ s", "", self.whole(process))
        for _ in range(3):
            again = re.sub(r" \d+\.\d+ s", "", self.dump(process.pid))
            self.assertEqual(again, first)
        self.end(process)

    def test_any_process_will_do(self):
        process, _ = self.living()
        for pid in (process.pid, supervisor_of(process.pid),
                    program_of(process.pid)):
            self.assertIn("epoll#1: 5 items", self.dump(pid))
        self.end(process)

    def test_two_words(self):
        process, _ = self.living()
        result = self.run_it([EPEMU, "--dump", str(process.pid)])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("epoll#1", result.stdout)
        self.end(process)

    def test_mistakes(self):
        for words, part in ((["--dump=x"], "x"), (["--dump=-1"], "-1"),
                            (["--dump=1"], "no epemu"), (["--dump"], "--dump"),
                            ([f"--dump={os.getpid()}"], "no epemu"),
                            (["--dump=1", "true"], "true")):
            result = self.run_it([EPEMU] + words)
            self.assertEqual((result.returncode, result.stdout), (125, ""))
            self.assertRegex(result.stderr, r"\Aepemu: [^\n]+\n\Z")
            self.assertIn(part, result.stderr)


def take_names(user, ready, done):
    """In a child: binds the names of the next processes, listens on them
    without room for anybody, and ends when `done` is closed."""
    os.close(done[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000))
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    number = os.stat("/proc/self/ns/pid").st_ino
    kept = []
    for pid in range(os.getpid() + 1, os.getpid() + 4000):
        one = socket.socket(socket.AF_UNIX)
        kept.append(one)
        try:
            one.bind(f"\0epemu-dump-{number}-{pid}")
        except OSError:
            continue
        one.listen(0)
        other = socket.socket(socket.AF_UNIX)
        kept.append(other)
        other.connect(one.getsockname())
    os.write(ready, b"x")
    os.read(done[0], 1)
    os._exit(0)


class Socket(Case):
    """Who may ask, and that who asks cannot hold up the program."""

    def setUp(self):
        super().setUp()
        self.process = self.start_script(MANY)

    def address(self):
        number = os.stat("/proc/self/ns/pid").st_ino
        pid = supervisor_of(self.process.pid)
        return f"\0epemu-dump-{number}-{pid}"

    def assert_program_lives(self):
        for _ in range(3):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            self.assertEqual(self.process.stdout.readline(), "0\n")

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.address())
        return client

    def test_another_user_is_refused(self):
        if os.getuid() != 0:
            self.lacks("needs root to become another user")
        result = self.run_it([EPEMU, f"--dump={self.process.pid}"], cwd="/",
                             user=65534, group=65534, extra_groups=[])
        self.assertEqual((result.returncode, result.stdout), (125, ""))
        self.assertRegex(result.stderr, r"\Aepemu: another user's [^\n]+\n\Z")
        # The same without the client's own look.
        address = self.address()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                client = socket.socket(socket.AF_UNIX)
                client.connect(address)
                status = 0 if client.recv(1) == b"" else 1
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assert_program_lives()
        self.assertIn("epoll#1", self.dump(self.process.pid))
        self.end(self.process)

    def test_names_that_are_taken(self):
        """Whoever takes the names of sockets to come, as the same user or as
        another, and lets nobody in, is gone round."""
        for user in (None, 65534) if os.getuid() == 0 else (None,):
            ready, done = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                take_names(user, ready[1], done)
            os.close(ready[1])
            os.close(done[0])
            self.assertEqual(os.read(ready[0], 1), b"x")
            process = self.start_script(MANY)
            part = f"-{supervisor_of(process.pid)}-"
            with open("/proc/net/unix", encoding="ascii") as file:
                names = [line for line in file if part in line]
            self.assertEqual(len(names), 1, "the name was not taken")
            self.assertIn("epoll#1", self.dump(process.pid))
            self.end(process)
            os.close(done[1])
            os.close(ready[0])
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.end(self.process)

    def test_nonsense(self):
        """What a client sends is not even read."""
        for _ in range(20):
            client = self.connect()
            client.setblocking(False)
            try:
                while True:
                    client.send(b"nonsense" * 1000)
            except OSError:
                client.close()
        self.assert_program_lives()
        self.assertIn("epoll#1", self.dump(self.process.pid))
        self.end(self.process)

    def test_a_client_that_does_not_read(self):
        """Holds up those behind it until it is dropped, and not the program."""
        clients = [self.connect() for _ in range(2)]
        # Its answer has begun, and there is no room for all of it.
        self.assertTrue(select.select(clients[:1], [], [], 60)[0])
        asking = self.start([EPEMU, f"--dump={self.process.pid}"])
        rounds = 0
        while not select.select([asking.stdout], [], [], 0.1)[0]:
            self.assert_program_lives()
            rounds += 1
        self.assertGreater(rounds, 0, "the answer came at once")
        self.assertIn("epoll#1", asking.communicate(timeout=60)[0])
        self.assertEqual(asking.returncode, 0)
        for client in clients:
            head, body = self.all_of(client).split(b"\n", 1)
            self.assertLess(len(body), int(head.split()[-1]))
        self.assert_program_lives()
        self.end(self.process)

    @staticmethod
    def all_of(client):
        """What a client gets up to the end."""
        client.settimeout(60)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
        return b"".join(parts)

    def test_a_client_that_goes(self):
        for _ in range(20):
            self.connect().close()
        self.assertIn("epoll#1", self.dump(self.process.pid))
        self.assert_program_lives()
        self.end(self.process)

    def test_what_is_asked_while_it_ends(self):
        with subprocess.Popen([EPEMU, f"--dump={self.process.pid}"],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              env=self.env) as asking:
            self.end(self.process)
            self.assertIn(asking.wait(60), (0, 125))


class Snapshot(Case):
    """Snapshots that are asked for by a signal or a timer."""

    def usr1(self, *options):
        script = LIVING.replace('"usr1" in sys.argv', "True")
        process = self.start_script(script, *options)
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "0\n")
        return process

    def snapshots(self):
        return self.messages().count("epemu: the state now\n")

    def test_signal(self):
        process = self.usr1("--stats")
        for count in (1, 2):
            os.kill(process.pid, signal.SIGUSR1)
            wait_until(lambda: self.snapshots() == count, "a snapshot")
            wait_until(lambda: self.messages().count("epemu: eventfd#2")
                       == count, "its end")
        self.assertIn("epemu: epoll#1: 5 items", self.messages())
        # Not passed on; to the program itself or the group it comes through.
        os.kill(program_of(process.pid), signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "caught\n")
        os.killpg(process.pid, signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "caught\n")
        self.end(process)
        self.assertEqual(self.snapshots(), 2)

    def test_without_an_option_it_is_the_programs(self):
        process = self.usr1()
        os.kill(process.pid, signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "caught\n")
        self.end(process)
        self.assertEqual(self.messages(), "")

    def test_signal_with_json(self):
        process = self.usr1("--stats=json")
        os.kill(process.pid, signal.SIGUSR1)
        wait_until(lambda: self.messages().endswith("\n"), "a line")
        self.end(process)
        kinds = [report["kind"] for report in self.reports()]
        self.assertEqual(kinds, ["snapshot", "exit"])
        state = self.reports()[0]["state"]
        self.assertEqual([epoll["number"] for epoll in state["epolls"]],
                         [1, 2, 3])
        self.assertEqual(
            [item["file"] for item in state["epolls"][0]["items"]][1],
            "eventfd#1")
        self.assertTrue(state["epolls"][0]["items"][4]["disabled"])
        self.assertEqual(len(state["epolls"][2]["ready_list"]), 3)

    def test_interval(self):
        process = self.usr1("--stats-interval=0.05")
        wait_until(lambda: self.snapshots() >= 3, "three snapshots")
        self.end(process)


main()
