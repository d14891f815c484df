# SPDX-License-Identifier: MIT
"""A supervisor that stands still: it is stopped by a tracer here, which stops
the one thread that takes the calls."""

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

libc = ctypes.CDLL(None, use_errno=True)


def stop_thread(thread):
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")


class Watchdog(TestCase):
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
