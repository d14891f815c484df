# SPDX-License-Identifier: MIT
"""The programs that the trace tests run, by name:

    programs.py NAME [ARGUMENT]...
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time


def wait_asleep(thread):
    """Until the thread sleeps in its call: nothing else it does blocks."""
    path = f"/proc/self/task/{thread.native_id}/stat"
    settled = 0
    while settled < 20:
        with open(path, encoding="ascii", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        settled = settled + 1 if state == "S" else 0
        time.sleep(0.005)


def in_thread(function, then):
    """Runs `function` in a thread and, once it sleeps, `then` here."""
    thread = threading.Thread(target=function)
    thread.start()
    wait_asleep(thread)
    then()
    thread.join()


def on_alarm(_number, _frame):
    raise TimeoutError


def causes():
    """A wait for each thing that can end one."""
    epoll = select.epoll()
    event = os.eventfd(0)
    reader, writer = os.pipe()
    epoll.register(event, select.EPOLLIN)
    epoll.register(reader, select.EPOLLIN | select.EPOLLET)
    in_thread(lambda: epoll.poll(60), lambda: os.eventfd_write(event, 3))
    os.eventfd_read(event)
    in_thread(lambda: epoll.poll(60), lambda: os.write(writer, b"x"))
    epoll.poll(0.01)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 1)
    with contextlib.suppress(TimeoutError):
        epoll.poll(60)
    in_thread(lambda: os.eventfd_read(event),
              lambda: os.eventfd_write(event, 7))
    another = os.eventfd(1)
    in_thread(lambda: epoll.poll(60),
              lambda: epoll.register(another, select.EPOLLIN))
    os.eventfd_write(event, 1)
    epoll.poll(60, 1)


def threads(count):
    """Each waits on an epoll of its own, and the main thread wakes them."""
    events = [os.eventfd(0) for _ in range(int(count))]

    def wait(event):
        epoll = select.epoll()
        epoll.register(event, select.EPOLLIN)
        if epoll.poll(60) != [(event, select.EPOLLIN)]:
            os._exit(1)
        os.eventfd_read(event)
        epoll.close()

    waiting = [threading.Thread(target=wait, args=[event])
               for event in events]
    for thread in waiting:
        thread.start()
    for event in events:
        os.eventfd_write(event, 1)
    for thread in waiting:
        thread.join()


def forks(count):
    """Children that share an eventfd with their parent."""
    event = os.eventfd(0, os.EFD_SEMAPHORE)
    epoll = select.epoll()
    epoll.register(event, select.EPOLLIN)
    for _ in range(int(count)):
        if os.fork() == 0:
            os.eventfd_write(event, 1)
            os._exit(0)
    for _ in range(int(count)):
        epoll.poll(60)
        os.eventfd_read(event)
        os.wait()


def asleep():
    """Two threads sleep in a wait until they are killed; says so then."""
    epoll = select.epoll()
    for _ in range(2):
        thread = threading.Thread(target=epoll.poll, args=[600])
        thread.start()
        wait_asleep(thread)
    print("asleep", flush=True)
    thread.join()


def busy(count):
    """Many calls; says so at the end."""
    event = os.eventfd(0)
    for _ in range(int(count)):
        os.eventfd_write(event, 1)
        os.eventfd_read(event)
    print("done")


def main():
    name, *arguments = sys.argv[1:]
    {"causes": causes, "threads": threads, "forks": forks, "asleep": asleep,
     "busy": busy}[name](*arguments)


if __name__ == "__main__":
    main()
