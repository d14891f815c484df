# SPDX-License-Identifier: MIT
"""Calls that have no answer for long: epemu says so.

A supervisor that stands still is stopped by a tracer here, which stops the one
thread that takes the calls. An execve that takes long waits for memory that a
thread of its own process brings (userfaultfd(2)) when it is told to."""

import ctypes
import os
import re
import subprocess

from harness import EPEMU, PYTHON, TestCase, is_gone, main

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000

CALLS = ("import os, time\n"
         "os.close(os.eventfd(0))\n"
         "print('ready', flush=True)\n"
         "while True:\n"
         "    os.close(os.eventfd(0))\n"
         "    time.sleep(0.01)\n")

# Its argv is in `area`, whose page is missing until a line comes.
LONG_EXEC = r"""
import ctypes, fcntl, mmap, os, platform, struct, threading
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_COPY = 0xc018aa3f, 0xc020aa00, 0xc028aa03
MISSING, PAGE = 1, mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 323, "aarch64": 282}[platform.machine()]
faults = libc.syscall(number, os.O_CLOEXEC)
if faults < 0:
    raise OSError(ctypes.get_errno(), "userfaultfd")
fcntl.ioctl(faults, UFFDIO_API, struct.pack("QQQ", 0xaa, 0, 0))
area = mmap.mmap(-1, PAGE)
at = ctypes.addressof(ctypes.c_char.from_buffer(area))
fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack("QQQQ", at, PAGE, MISSING, 0))
word = ctypes.create_string_buffer(b"true")
page = ctypes.create_string_buffer(
    struct.pack("PP", ctypes.addressof(word), 0), PAGE)
execs = threading.Thread(target=lambda: libc.execv(
    b"/bin/true", ctypes.c_void_p(at)))

def brings():
    os.read(faults, 32)     # the execve is waiting for the page
    os.write(1, b"begun\n")
    threading.Thread(target=os.eventfd_write, args=(efd, 1)).start()
    os.read(0, 1)
    fcntl.ioctl(faults, UFFDIO_COPY, struct.pack(
        "QQQQq", at, ctypes.addressof(page), PAGE, 0, 0))

efd = os.eventfd(0)
threading.Thread(target=brings).start()
execs.start()
execs.join()
"""

libc = ctypes.CDLL(None, use_errno=True)


def stop_thread(thread):
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")


class Watchdog(TestCase):
    def run_long_exec(self, *before):
        """Runs LONG_EXEC; what is said while its execve waits."""
        with subprocess.Popen([*before, PYTHON, "-c", LONG_EXEC],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as program:
            self.assertEqual(program.stdout.readline(), "begun\n")
            said = program.stderr.readline() if before else ""
            program.stdin.write("\n")
            program.stdin.close()
            self.assertEqual(program.stderr.read(), "")
            self.assertEqual(program.wait(), 0)
        return said

    def test_execve_that_keeps_calls_waiting_is_told_of(self):
        if os.geteuid() != 0:
            self.lacks("userfaultfd takes root")
        self.run_long_exec()
        self.assertRegex(
            self.run_long_exec(EPEMU),
            r"\Aepemu: process \d+ has been in an execve for 10 s: epoll and "
            r"eventfd calls of its other threads wait until it is over\n\Z")

    def test_stuck_supervisor_is_told_of_and_ended(self):
        with subprocess.Popen([EPEMU, "-v", PYTHON, "-c", CALLS],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as epemu:
            self.assertEqual(epemu.stdout.readline(), "ready\n")
            for line in epemu.stderr:
                number = r"\Aepemu: .* is process (\d+)"
                found = re.search(number, line)
                if found and "supervisor" in line:
                    supervisor = int(found[1])
                elif found:
                    program = int(found[1])
                else:
                    break
            stop_thread(supervisor)
            self.assertRegex(
                epemu.stderr.readline(),
                r"\Aepemu: the supervisor has not gone on for 10 s "
                r"\(system call \d+, \w+\): .*\n\Z")
            self.assertEqual(
                epemu.stderr.readline(),
                "epemu: the supervisor did not go on: everything is ended\n")
            # Its end is for whoever traces it to see first.
            while not os.WIFEXITED(os.waitpid(supervisor, WALL)[1]):
                pass
            self.assertEqual(epemu.stderr.read(), "")
            self.assertEqual(epemu.wait(), 125)
        self.assertTrue(is_gone(program))


if __name__ == "__main__":
    main()
