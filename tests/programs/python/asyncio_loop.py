# SPDX-License-Identifier: MIT
"""asyncio on epoll: streams, children, threads, signals, timers.

Every part prints only what is the same in every run.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
import time

CLIENTS = 100
ROUNDS = 10


async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def client(connect, number, all_here):
    reader, writer = await connect()
    all_here.append(number)
    while len(all_here) < CLIENTS:
        await asyncio.sleep(0.001)
    total = 0
    for turn in range(ROUNDS):
        data = bytes([number]) * (1 + number * turn * 7)
        writer.write(data)
        total += len(await reader.readexactly(len(data)))
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return total


async def streams():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def connect():
        return await asyncio.open_connection("127.0.0.1", port)

    all_here = []
    totals = await asyncio.gather(
        *(client(connect, number, all_here) for number in range(CLIENTS)))
    server.close()
    await server.wait_closed()
    print("tcp:", sum(totals), "bytes echoed")


async def unix_streams(place):
    path = os.path.join(place, "sock")
    server = await asyncio.start_unix_server(echo, path)

    async def connect():
        return await asyncio.open_unix_connection(path)

    all_here = []
    totals = await asyncio.gather(
        *(client(connect, number, all_here) for number in range(CLIENTS)))
    server.close()
    await server.wait_closed()
    print("unix:", sum(totals), "bytes echoed")


async def child(number):
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f"cat; exit {number}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"z" * (number * 10000))
    return f"{process.returncode}:{len(out)}"


async def children(watcher, name):
    """With pidfds in epoll, or a thread for each child."""
    watcher.attach_loop(asyncio.get_running_loop())
    asyncio.get_event_loop_policy().set_child_watcher(watcher)
    ends = await asyncio.gather(*(child(number) for number in range(10)))
    print(f"children by {name}:", *ends)


async def threads():
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    seen = []

    def take(number):
        seen.append(number)
        if len(seen) == 2000:
            done.set()

    def work(start):
        for number in range(start, start + 500):
            loop.call_soon_threadsafe(take, number)

    workers = [threading.Thread(target=work, args=(start,))
               for start in range(0, 2000, 500)]
    for worker in workers:
        worker.start()
    await done.wait()
    for worker in workers:
        worker.join()
    squares = await asyncio.gather(
        *(asyncio.to_thread(pow, number, 2) for number in range(100)))
    print("threads:", sum(seen), sum(squares))


async def signals():
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, seen.set)
    for _ in range(50):
        os.kill(os.getpid(), signal.SIGUSR1)
        await seen.wait()
        seen.clear()
    loop.remove_signal_handler(signal.SIGUSR1)
    print("signals: 50")


async def timers():
    async def nap(seconds):
        start = time.monotonic()
        await asyncio.sleep(seconds)
        # asyncio runs timers up to its clock's resolution early.
        return time.monotonic() - start < seconds - 0.001

    early = await asyncio.gather(*(nap(n / 1000) for n in range(50)))
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.02)
    except asyncio.TimeoutError:
        print("timers:", len(early), "fired,", sum(early), "early, 1 timeout")


async def watched_sockets():
    """add_reader and add_writer: a full socket gets room."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    try:
        while True:
            near.send(b"x" * 4096)
    except BlockingIOError:
        pass
    room = loop.create_future()
    loop.add_writer(near, lambda: room.done() or room.set_result(True))
    await asyncio.sleep(0)
    assert not room.done()
    total = 0
    while not room.done():
        try:
            total += len(far.recv(65536))
        except BlockingIOError:
            pass
        await asyncio.sleep(0)
    loop.remove_writer(near)
    print("room came after reading:", total > 0)
    near.close()
    far.close()


async def main():
    with tempfile.TemporaryDirectory() as place:
        await streams()
        await unix_streams(place)
    await children(asyncio.PidfdChildWatcher(), "pidfd")
    await children(asyncio.ThreadedChildWatcher(), "thread")
    await threads()
    await signals()
    await timers()
    await watched_sockets()
    sys.stdout.flush()


asyncio.run(main())
