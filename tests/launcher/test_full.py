# SPDX-License-Identifier: MIT
"""The supervisor's own table of descriptors, full: what exists goes on
working, for all processes, and there is room again when things are closed."""

import itertools
import os
import re
import shutil

from harness import (CAP_SYS_RESOURCE, EPEMU, PYTHON, USER, TestCase,
                     limit_files, main)

# Fills the table with items, then lets go of some for others. The two ends of
# a pair are two files.
ITEMS = """
import _socket, errno, os, select
one, two = select.epoll(), select.epoll()
ends = []
for _ in range(50):
    ends += _socket.socketpair()
try:
    for count, end in enumerate(ends):
        one.register(end, select.EPOLLIN)
except OSError as error:
    assert error.errno == errno.EMFILE, error
else:
    raise SystemExit("there is room for all")
for end in ends[:6]:
    one.unregister(end)
for end in ends[:3]:
    two.register(end, select.EPOLLOUT | select.EPOLLONESHOT)
assert len(two.poll(0)) == 3
for end in ends[3:5]:
    one.register(end, select.EPOLLIN)
for end in ends[6:12]:
    one.unregister(end)
os.close(os.eventfd(0))
for end in ends[12:18]:
    one.unregister(end)
select.epoll().close()
"""

# One process makes epolls until that fails. The other has all that it needs
# already, and uses it in as many ways as there are.
BESIDE = """
import errno, os, select, threading

def fill(done, go):
    made = []
    try:
        while True:
            made.append(select.epoll())
    except OSError as error:
        assert error.errno in (errno.EMFILE, errno.ENFILE), error
    os.write(done, b"x")
    os.read(go, 1)
    for epoll in made:
        epoll.close()
    for _ in range(len(made) // 2):
        made.append(select.epoll())
    os._exit(0)

def use(epoll, counter):
    again = os.dup(epoll.fileno())
    with select.epoll.fromfd(again) as other:
        assert other.poll(10) == [(counter, select.EPOLLIN)]
        other.modify(counter, select.EPOLLIN)
    assert len(os.read(zero, 8)) == 8
    own = os.dup(counter)
    assert os.eventfd_read(own) == 1
    os.eventfd_write(own, 1)
    os.close(own)

def hand_over(there, back):
    for _ in range(20):
        os.eventfd_write(back, os.eventfd_read(there))

zero = os.open("/dev/zero", os.O_RDONLY)
counter = os.eventfd(1, os.EFD_SEMAPHORE)
there, back = os.eventfd(0), os.eventfd(0)
epoll = select.epoll()
epoll.register(counter, select.EPOLLIN)
done, go = os.pipe(), os.pipe()
filler = os.fork()
if filler == 0:
    fill(done[1], go[0])
os.read(done[0], 1)
errors = []
def tried(*args):
    try:
        args[0](*args[1:])
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=tried, args=(hand_over, there, back))]
threads += [threading.Thread(target=tried, args=(use, epoll, counter))
            for _ in range(60)]
for thread in threads[:1]:
    thread.start()
for i in range(20):
    os.eventfd_write(there, i + 1)
    assert os.eventfd_read(back) == i + 1
for thread in threads[1:]:
    thread.start()
    if thread is threads[1] or thread is threads[2]:
        thread.join()
for thread in threads:
    thread.join()
assert not errors, errors
os.write(go[1], b"x")
assert os.waitpid(filler, 0)[1] == 0
print("all of it")
"""

# New processes that execute a program, and some that do so again and again.
EXECS = """
import os, subprocess
again = '[ $1 = 0 ] || exec sh -c "$0" "$0" $(($1 - 1))'
for _ in range(4):
    running = [subprocess.Popen(["sh", "-c", again, again, "60"])
               for _ in range(4)]
    while any(process.poll() is None for process in running):
        os.close(os.eventfd(0))
        subprocess.run(["true"], check=True)
    assert all(process.returncode == 0 for process in running)
print("all of it")
"""

# More threads than the limit that they run under has descriptors.
THREADS = """
import os, threading
zero = os.open('/dev/zero', os.O_RDONLY)
barrier = threading.Barrier(100)
def run():
    assert len(os.read(zero, 8)) == 8
    barrier.wait()
    assert len(os.read(zero, 8)) == 8
    os.write(1, b'ok\\n')
for _ in range(100):
    threading.Thread(target=run).start()
"""

# The same, and each takes a signal before it reads and one after it. The
# handler is C's own: one of Python's runs in the main thread alone. It does
# nothing, and SA_RESTART is not asked for.
SIGNALS = """
import ctypes, os, signal, threading
libc = ctypes.CDLL(None)
libc.abs.restype = ctypes.c_int
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal.restype = ctypes.c_void_p
libc.signal(signal.SIGUSR1, ctypes.cast(libc.abs, ctypes.c_void_p))
zero = os.open('/dev/zero', os.O_RDONLY)
barrier = threading.Barrier(100)
def run():
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    assert len(os.read(zero, 8)) == 8
    barrier.wait()
    for _ in range(5):
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        assert len(os.read(zero, 8)) == 8
    barrier.wait()
    os.write(1, b'ok\\n')
for _ in range(100):
    threading.Thread(target=run).start()
"""

MESSAGE = (r"\Aepemu: the supervisor is out of descriptors: "
           r"[^\n]*\n\Z")


class Full(TestCase):
    def test_what_the_program_frees_can_be_used(self):
        result = self.run_it([EPEMU, PYTHON, "-c", ITEMS],
                             preexec_fn=limit_files(120))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, MESSAGE)

    def test_what_exists_goes_on_working(self):
        for prefix in self.ways():
            result = self.run_it(prefix + [PYTHON, "-c", BESIDE],
                                 preexec_fn=limit_files(120))
            self.assertEqual((result.returncode, result.stdout),
                             (0, "all of it\n"), result.stderr)
            if prefix:
                self.assertRegex(result.stderr, MESSAGE)

    def test_execs_leave_room(self):
        """Each is noticed to be over soon, however many there are."""
        result = self.run_it([EPEMU, PYTHON, "-c", EXECS],
                             preexec_fn=limit_files(64))
        self.assertEqual(
            (result.returncode, result.stdout, result.stderr),
            (0, "all of it\n", ""))

    def test_more_threads_than_descriptors(self):
        """Each makes a call that is the kernel's, and another one once all
        have made theirs. Then the same with signals: their handlers return,
        which is such a call as well."""
        # Where another user may not look into the sources.
        epemu = shutil.copy(EPEMU, self.new_folder(0o755))
        for who, prefix, code in itertools.product(
                ({}, USER) if os.geteuid() == 0 else ({},),
                ([], [epemu]), (THREADS, SIGNALS)):
            result = self.run_it([*prefix, "/usr/bin/python3", "-c", code],
                                 preexec_fn=limit_files(60), cwd="/",
                                 **who)
            with self.subTest(who=who, prefix=prefix,
                              signals=code is SIGNALS):
                self.assertEqual(
                    (result.returncode, result.stderr, result.stdout),
                    (0, "", "ok\n" * 100))

    def test_the_limit_holds(self):
        """The limit of these tests is the supervisor's, too, whoever runs
        them: it has no right to raise it."""
        result = self.run_it(
            [EPEMU, "sh", "-c", "cat /proc/$PPID/comm /proc/$PPID/limits "
             "/proc/$PPID/status"], preexec_fn=limit_files(60))
        self.assertRegex(result.stdout, r"\Aepemu-serve\n")
        self.assertRegex(result.stdout, r"\nMax open files +60 +60 ")
        for which in ("Inh", "Prm", "Eff", "Bnd"):
            sets = re.search(rf"^Cap{which}:\s(\w+)$", result.stdout, re.M)
            if which != "Bnd" or os.geteuid() == 0:
                self.assertFalse(int(sets[1], 16) & 1 << CAP_SYS_RESOURCE,
                                 which)


if __name__ == "__main__":
    main()
