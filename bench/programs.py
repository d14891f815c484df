# SPDX-License-Identifier: MIT
"""Where the programs are, and how one is run and ended."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LIMIT_S = 60


class Unavailable(Exception):
    """Why a row cannot be measured here."""


class Programs:
    """The programs of the benchmark, of the cache, and of the machine."""

    def __init__(self, epemu, build, cache):
        self.epemu = str(epemu)
        self.build = pathlib.Path(build)
        self.cache = pathlib.Path(cache)

    def bench(self, name):
        """A program of ours that meson built."""
        return self._there(self.build / "bench" / name)

    def cached(self, name):
        """A program that scripts/bench has put into the cache."""
        return self._there(self.cache / name)

    @staticmethod
    def _there(path):
        if not path.is_file():
            raise Unavailable(f"{path.name} was not built")
        return str(path)

    @staticmethod
    def tool(name):
        """A program of the machine."""
        path = shutil.which(name)
        for folder in ("/usr/sbin", "/sbin"):
            path = path or shutil.which(name, path=folder)
        if not path:
            raise Unavailable(f"{name} is not installed")
        return path


def run(command, limit_s=LIMIT_S, **options):
    """What a command printed; it has to end well, and in time."""
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, start_new_session=True,
                          **options) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            end_group(process)
            raise Unavailable(f"not done after {limit_s} s") from None
        except KeyboardInterrupt:
            end_group(process)
            raise
    if process.returncode != 0:
        last = (err.strip() or out.strip() or "no word").splitlines()[-1]
        raise Unavailable(f"status {process.returncode}: {last}")
    return out


def run_json(command, **options):
    """The last line of a command, which is JSON."""
    lines = run(command, **options).strip().splitlines()
    return json.loads(lines[-1])


def end_group(process, patience_s=5):
    """Ends a process and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience_s)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server on a port of its own, from start to end."""

    def __init__(self, prefix, command, port):
        self.port = port
        self.place = tempfile.TemporaryDirectory(prefix="epemu-bench-")
        self.log = open(os.path.join(self.place.name, "log"), "w+",
                        encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [*prefix, *command], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, cwd=self.place.name, start_new_session=True)

    def __enter__(self):
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.01)
        self.log.seek(0)
        said = self.log.read().strip().splitlines() or ["no word"]
        self.__exit__()
        raise Unavailable(f"the server did not start: {said[-1]}")

    def __exit__(self, *_):
        end_group(self.process)
        self.log.close()
        self.place.cleanup()
