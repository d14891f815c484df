# SPDX-License-Identifier: MIT
"""selectors and select.epoll as Python programs use them directly.

Level- and edge-triggered and one-shot registrations, os.eventfd, fork with a
shared epoll, poll and select on an epoll, pipes that close.
"""

import os
import select
import selectors
import socket
import threading

CLIENTS = 50


def text(events):
    names = ("EPOLLIN", "EPOLLPRI", "EPOLLOUT", "EPOLLERR", "EPOLLHUP",
             "EPOLLRDHUP")
    return "+".join(name[5:] for name in names
                    if events & getattr(select, name))


def echo_server():
    selector = selectors.DefaultSelector()
    assert isinstance(selector, selectors.EpollSelector)
    listener = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    address = listener.getsockname()
    sums = []

    def client(number):
        with socket.create_connection(address) as peer:
            data = bytes([number]) * (number * 1000 + 1)
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: peer.recv(4096), b""))
            sums.append(len(got) if got == data else -1)

    clients = [threading.Thread(target=client, args=(number,))
               for number in range(CLIENTS)]
    for thread in clients:
        thread.start()
    open_peers = accepted = 0
    while accepted < CLIENTS or open_peers:
        for key, mask in selector.select():
            if key.fileobj is listener:
                peer, _ = listener.accept()
                peer.setblocking(False)
                selector.register(peer, selectors.EVENT_READ, bytearray())
                accepted += 1
                open_peers += 1
                continue
            peer, pending, ended = key.fileobj, key.data, False
            if mask & selectors.EVENT_READ:
                data = peer.recv(3000)
                pending += data
                ended = not data
            if pending and mask & selectors.EVENT_WRITE:
                del pending[:peer.send(pending)]
            if ended and not pending:
                selector.unregister(peer)
                peer.close()
                open_peers -= 1
            else:
                wanted = selectors.EVENT_READ
                if pending:
                    wanted |= selectors.EVENT_WRITE
                if wanted != key.events:
                    selector.modify(peer, wanted, pending)
    for thread in clients:
        thread.join()
    selector.close()
    listener.close()
    print("echo:", len(sums), "clients,", sum(sums), "bytes")


def triggers():
    reader, writer = os.pipe()
    with select.epoll() as epoll:
        epoll.register(reader, select.EPOLLIN)
        os.write(writer, b"ab")
        for _ in range(2):
            print("level:", [(fd == reader, text(events))
                             for fd, events in epoll.poll(0)])
        epoll.modify(reader, select.EPOLLIN | select.EPOLLET)
        for _ in range(2):
            print("edge:", [text(events) for _, events in epoll.poll(0)])
        os.write(writer, b"c")
        print("edge:", [text(events) for _, events in epoll.poll(0)])
        epoll.modify(reader, select.EPOLLIN | select.EPOLLONESHOT)
        for _ in range(2):
            print("one-shot:", [text(events) for _, events in epoll.poll(0)])
        epoll.modify(reader, select.EPOLLIN)
        os.close(writer)
        print("closed:", [text(events) for _, events in epoll.poll(0)])
        os.read(reader, 100)
        print("drained:", [text(events) for _, events in epoll.poll(0)])
    os.close(reader)


def eventfds():
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    with select.epoll() as epoll, select.epoll() as outer:
        epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        outer.register(epoll, select.EPOLLIN)
        for value in (1, 2, 3):
            os.eventfd_write(fd, value)
            print("eventfd edge:", [text(events)
                                    for _, events in epoll.poll(0)])
        print("eventfd sum:", os.eventfd_read(fd))
        print("outer:", outer.poll(0))
        os.eventfd_write(fd, 1)
        print("outer:", [text(events) for _, events in outer.poll(0)])
        poller = select.poll()
        poller.register(epoll, select.POLLIN | select.POLLOUT)
        print("poll on epoll:", [events for _, events in poller.poll(0)])
        ready = select.select([epoll, fd], [fd], [], 0)
        print("select:", [len(part) for part in ready])
        print("long read:", len(os.read(fd, 1024)))
        ready = select.select([fd], [fd], [], 0)
        print("select:", [len(part) for part in ready])
    os.close(fd)


def threads_and_eventfd():
    fd = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
    turns = 3000

    def write():
        for _ in range(turns):
            os.eventfd_write(fd, 1)

    writer = threading.Thread(target=write)
    taken = 0
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN | select.EPOLLET)
        writer.start()
        while taken < turns:
            epoll.poll()
            try:
                while True:
                    taken += os.eventfd_read(fd)
            except BlockingIOError:
                pass
    writer.join()
    os.close(fd)
    print("semaphore:", taken)


def shared_with_a_child():
    """The child adds a pipe of its own to the epoll; its events reach us
    until it ends."""
    ours, theirs = socket.socketpair()
    with select.epoll() as epoll:
        pid = os.fork()
        if pid == 0:
            reader, writer = os.pipe()
            os.write(writer, b"x")
            epoll.register(reader, select.EPOLLIN)
            theirs.send(b"r")
            theirs.recv(1)
            os._exit(0)
        ours.recv(1)
        print("from the child:", [text(events)
                                  for _, events in epoll.poll()])
        ours.send(b"g")
        print("child ended with", os.waitpid(pid, 0)[1])
        print("after it:", epoll.poll(0))
    ours.close()
    theirs.close()


def errors():
    ours, theirs = socket.socketpair()
    with select.epoll() as epoll, open("/dev/null", "rb") as null, \
            ours, theirs:
        for action in (lambda: epoll.register(null),
                       lambda: epoll.modify(ours, select.EPOLLIN),
                       lambda: epoll.unregister(9999),
                       lambda: epoll.register(epoll.fileno())):
            try:
                action()
                print("no error")
            except OSError as error:
                print("error:", error.strerror)


echo_server()
triggers()
eventfds()
threads_and_eventfd()
shared_with_a_child()
errors()
