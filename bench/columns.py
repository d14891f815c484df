# SPDX-License-Identifier: MIT
"""Who answers the calls: the columns of the table."""

import os
import re
import subprocess
import tempfile

# What epemu traps, beside reads and writes of 8 bytes.
EVENT_CALLS = ("epoll_create,epoll_create1,epoll_ctl,epoll_wait,epoll_pwait,"
               "epoll_pwait2,eventfd,eventfd2")

NATIVE = "native"
FLOOR = "floor"
EPEMU = "epemu"
TRACE = "epemu-trace"
STRACE_BPF = "strace-bpf"
STRACE = "strace"

TITLES = {
    NATIVE: "native",
    FLOOR: "bare notifier",
    EPEMU: "epemu",
    TRACE: "epemu --trace",
    STRACE_BPF: "strace --seccomp-bpf",
    STRACE: "strace -f",
}


class Columns:
    """Makes the words that go before a command."""

    def __init__(self, programs):
        self.programs = programs
        self.place = tempfile.TemporaryDirectory(prefix="epemu-bench-")
        self.trace_words = self._find_trace()
        self.names = [name for name in TITLES
                      if name != TRACE or self.trace_words]

    def _find_trace(self):
        said = subprocess.run([self.programs.epemu, "--help"], text=True,
                              capture_output=True, check=False).stdout
        found = re.search(r"--trace(?![-\w])(\[?=)?", said)
        if not found:
            return []
        file = os.path.join(self.place.name, "trace")
        return [f"--trace={file}"] if found[1] else ["--trace", "-o", file]

    def prefix(self, name, calls=EVENT_CALLS, whole_program=False):
        """The words for a column; calls are those that strace is to see."""
        strace = [self.programs.tool("strace"), "-f", "-qq",
                  "-o", "/dev/null"] if name.startswith("strace") else []
        floor = [self.programs.bench("epemu-floor")]
        return {
            NATIVE: [],
            FLOOR: floor + (["--continue"] if whole_program else []),
            EPEMU: [self.programs.epemu],
            TRACE: [self.programs.epemu, *self.trace_words],
            STRACE_BPF: [*strace, "--seccomp-bpf", "-e", f"trace={calls}"],
            STRACE: strace,
        }[name]
