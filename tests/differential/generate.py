# SPDX-License-Identifier: MIT
"""Makes random programs of the differential test, see program.h.

A program is a function of its seed and its length. The generator knows which
slot is what, so that most calls make sense, but not what they will bring
about: a call that sleeps is found asleep by the interpreter, and calls handed
to a sleeper are passed over.

It keeps away from what Linux itself leaves open (how much a full TCP socket
takes, which of two waiters on two processors is first) and from the limits
that README.md lists.
"""

import random

SLOTS = 128
ACTORS = 6
MASKS = ["IN", "IN", "IN", "OUT", "IN|OUT", "IN|OUT", "IN|RDHUP",
         "IN|OUT|RDHUP|PRI", "0", "RDNORM", "WRNORM", "HUP", "ERR",
         "RDHUP", "IN|PRI", "IN|OUT|RDNORM|WRNORM|RDBAND|WRBAND|MSG"]
DATA = [0, 1, 7, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
        0xffffffffffffffff, 0x123456789abcdef]
SIZES = [1, 7, 8, 8, 9, 100, 1000, 4096, 4097, 65536, 100000]
# Of TCP so few that buffers never fill.
TCP_SIZES = [1, 7, 8, 8, 20, 100, 300]
COUNTS = [1, 1, 1, 2, 5, 100, 0x7fffffff, 0xffffffff, 0xfffffffffffffffd,
          0xfffffffffffffffe, 0xffffffffffffffff]
TIMEOUTS = [0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, 1, 1, 3]
MAX_EVENTS = [1, 1, 2, 3, 4, 16, 64, 64, 1000]
STREAMS = {"pipe", "unix", "dgram", "tcp"}


class Table:
    """The slots of one descriptor table: what each one holds."""

    def __init__(self, kinds=()):
        self.kinds = dict(kinds)
        self.stale = {}

    def of(self, *kinds):
        return [slot for slot, kind in self.kinds.items() if kind in kinds]


class Program:
    """One program as it is made."""

    def __init__(self, seed, ops):
        self.rng = random.Random(seed)
        self.lines = []
        self.next_slot = 0
        self.tables = {0: Table()}
        self.leader = {0: 0}        # actor -> process
        self.sent = self.sent_file = None
        self.blocking = set()       # slots that may put a caller to sleep
        self.items = set()          # (epoll's slot, watched slot)
        self.origin = {}            # slot -> slot of the same file
        self.ops = ops
        self.choose_style()

    def choose_style(self):
        """Programs differ in what they are about."""
        rng = self.rng
        self.polls_epolls = rng.random() < 0.15
        # Exclusive items of one file share their edges, and their place in
        # the order of events is their own; README.md.
        self.exclusive = rng.random() < 0.25
        self.exclusive_mask = rng.choice(["IN", "OUT", "IN|OUT", "ERR|HUP"])
        self.actors = rng.choice([1, 1, 2, 3, 4, ACTORS])
        self.signals = rng.random() < 0.4
        self.nonblock = rng.choice([0.5, 0.9, 1.0])
        self.odd = rng.choice([0, 0.03, 0.1])
        kinds = ["pipe", "unix", "dgram", "tcp", "eventfd", "timer", "listen"]
        if rng.random() < 0.6:
            kinds = [k for k in kinds if k not in ("tcp", "listen")]
        rng.shuffle(kinds)
        self.makes = kinds[:rng.randint(1, len(kinds))] + ["epoll"]

    # Small choices.

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, items):
        return self.rng.choice(items)

    def flags(self, nonblock, cloexec, slots=1):
        """For the next so many slots to be made."""
        words = []
        if self.chance(self.nonblock):
            words.append(nonblock)
        else:
            self.blocking.update(range(self.next_slot,
                                       self.next_slot + slots))
        if self.chance(0.2):
            words.append(cloexec)
        return words

    def join(self, words):
        return "|".join(words) or "0"

    def new(self, letter):
        self.next_slot += 1
        return f"{letter}{self.next_slot - 1}"

    def say(self, actor, text):
        self.lines.append(f"{actor}: {text}")

    def table(self, actor):
        return self.tables[actor]

    def number(self, slot):
        return int(slot.lstrip("abcdefghijklmnopqrstuvwxyz"))

    def may_sleep(self, slot):
        """Whether the first actor, which hands out work, keeps off it."""
        return slot[0].isalpha() and self.number(slot) in self.blocking

    def transfer(self, actor, *kinds):
        """A slot to read or write. The first actor should not sleep."""
        slots = [s for s in self.table(actor).of(*kinds)
                 if actor != 0 or not self.may_sleep(s)]
        if not slots or self.chance(self.odd):
            return self.pick(["-1", "e0"])
        return self.pick(slots)

    def any_slot(self, actor):
        """Mostly one that is open."""
        t = self.table(actor)
        if t.stale and not self.polls_epolls and self.chance(0.05):
            return self.pick(list(t.stale))
        if self.chance(self.odd):
            return self.pick(["-1", "2", "1000"])
        return self.pick(list(t.kinds)) if t.kinds else "-1"

    def some(self, actor, *kinds):
        """An open slot of the kinds; seldom just any."""
        slots = self.table(actor).of(*kinds)
        if not slots or self.chance(self.odd):
            return self.any_slot(actor)
        return self.pick(slots)

    # Making files.

    def make(self, actor):
        if self.next_slot > SLOTS - 4:
            return self.use(actor)
        kind = self.pick(self.makes)
        if kind == "epoll" and len(self.table(actor).of("epoll")) > 3:
            kind = self.pick(self.makes)
        return getattr(self, "make_" + kind)(actor)

    def made(self, actor, kind, *slots):
        for slot in slots:
            self.table(actor).kinds[slot] = kind

    def make_pipe(self, a):
        words = self.flags("O_NONBLOCK", "O_CLOEXEC", 2)
        if self.chance(0.1):
            words.append("O_DIRECT")
        r, w = self.new("r"), self.new("w")
        self.say(a, f"{r}, {w} = pipe2({self.join(words)})")
        self.made(a, "pipe", r, w)

    def make_unix(self, a, types=("SOCK_STREAM",), kind="unix"):
        words = [self.pick(types)]
        words += self.flags("SOCK_NONBLOCK", "SOCK_CLOEXEC", 2)
        x, y = self.new("s"), self.new("s")
        self.say(a, f"{x}, {y} = socketpair({self.join(words)})")
        self.made(a, kind, x, y)

    def make_dgram(self, a):
        self.make_unix(a, ("SOCK_DGRAM", "SOCK_SEQPACKET"), "dgram")

    def make_tcp(self, a):
        words = self.flags("SOCK_NONBLOCK", "SOCK_CLOEXEC", 2)
        x, y = self.new("t"), self.new("t")
        self.say(a, f"{x}, {y} = tcp_pair({self.join(words)})")
        self.made(a, "tcp", x, y)

    def make_listen(self, a):
        words = self.flags("SOCK_NONBLOCK", "SOCK_CLOEXEC")
        slot = self.new("l")
        self.say(a, f"{slot} = tcp_listen({self.join(words)})")
        self.made(a, "listen", slot)

    def make_eventfd(self, a):
        count = self.pick([0, 0, 0, 1, 3, 0xffffffff])
        words = self.flags("EFD_NONBLOCK", "EFD_CLOEXEC")
        slot = self.new("v")
        if self.chance(0.5) and not words:
            self.say(a, f"{slot} = eventfd({count})")
        else:
            if self.chance(0.3):
                words.append("EFD_SEMAPHORE")
            if self.chance(self.odd):
                words.append("0x10")
            self.say(a, f"{slot} = eventfd2({count}, {self.join(words)})")
        self.made(a, "eventfd", slot)

    def make_timer(self, a):
        clock = self.pick(["CLOCK_MONOTONIC", "CLOCK_REALTIME",
                           "CLOCK_BOOTTIME"])
        words = self.flags("TFD_NONBLOCK", "TFD_CLOEXEC")
        slot = self.new("x")
        self.say(a, f"{slot} = timerfd_create({clock}, {self.join(words)})")
        self.made(a, "timer", slot)

    def make_epoll(self, a):
        slot = self.new("e")
        if self.chance(0.1):
            self.say(a, f"{slot} = epoll_create({self.pick([1, 10, 0, -1])})")
        else:
            flags = self.pick(["0", "0", "EPOLL_CLOEXEC"])
            if self.chance(self.odd):
                flags = self.pick(["1", "O_NONBLOCK", "-1"])
            self.say(a, f"{slot} = epoll_create1({flags})")
        self.made(a, "epoll", slot)

    # Using them.

    def mask(self):
        words = [self.pick(MASKS)]
        if self.chance(0.4):
            words.append("ET")
        if not self.polls_epolls and self.chance(0.15):
            words.append("ONESHOT")
        if self.exclusive and not self.polls_epolls:
            words = [w for w in words if w not in ("ET", "ONESHOT")]
            words.append("EXCLUSIVE")
            # Of items with different masks on one file, under epemu others
            # may be woken than natively; README.md.
            words[0] = self.exclusive_mask
        if self.chance(0.03):
            words.append("WAKEUP")
        if self.chance(self.odd):
            words.append("0x100000")
        return "|".join(words)

    def target(self, a):
        """What to add: files, and now and then an epoll."""
        kinds = ["pipe", "unix", "tcp", "eventfd", "timer", "listen", "dgram"]
        if not self.polls_epolls and self.chance(0.15):
            kinds = ["epoll"]
        return self.some(a, *kinds)

    def file_of(self, slot):
        return self.origin.get(slot, slot)

    def is_shared(self, fd):
        """Whether several items have the file; README.md on their order."""
        return sum(self.file_of(other) == self.file_of(fd)
                   for _, other in self.items) > 1

    def ctl(self, a):
        ep, fd = self.some(a, "epoll"), self.target(a)
        op = "MOD" if (ep, fd) in self.items else "ADD"
        known = [item for item in sorted(self.items)
                 if set(item) <= set(self.table(a).kinds)]
        if known and self.chance(0.3):
            (ep, fd), op = self.pick(known), self.pick(["MOD", "MOD", "DEL"])
        if op == "MOD" and self.is_shared(fd):
            op = "DEL"
        if self.chance(self.odd):
            op = self.pick(["0", "4", "-1", "ADD", "DEL"])
        if self.chance(self.odd):
            self.say(a, f"epoll_ctl_bad({ep}, {op}, {fd})")
            return
        self.say(a, f"epoll_ctl({ep}, {op}, {fd}, {self.mask()}, "
                    f"0x{self.data():x})")
        if op == "ADD":
            self.items.add((ep, fd))
        elif op == "DEL":
            self.items.discard((ep, fd))

    def data(self):
        """Mostly one that tells the items apart."""
        if self.chance(0.9):
            return len(self.lines) + 0x100
        return self.pick(DATA)

    def wait(self, a):
        ep = self.some(a, "epoll")
        most = self.pick(MAX_EVENTS)
        if self.chance(self.odd):
            most = self.pick([0, -1, 0x7fffffff, 0x0aaaaaaa])
        timeout = self.pick(TIMEOUTS)
        if a == 0:
            timeout = max(timeout, 0)
        shape = self.rng.random()
        if self.polls_epolls:
            self.say(a, f"epoll_wait_any_order({ep}, {timeout})")
        elif shape < 0.7:
            self.say(a, f"epoll_wait({ep}, {most}, {timeout})")
        elif shape < 0.8:
            mask = self.pick(["EMPTY", "EMPTY", "USR1"])
            self.say(a, f"epoll_pwait({ep}, {most}, {timeout}, {mask})")
        elif shape < 0.9:
            ns = self.pick([0, 0, 0, 1, 1000, 1000000, -1 if a else 0])
            mask = self.pick(["NONE", "NONE", "EMPTY", "USR1"])
            self.say(a, f"epoll_pwait2({ep}, {most}, {ns}, {mask})")
        elif shape < 0.97:
            fits = self.pick([0, 1, 2])
            # Where the buffer ends, Linux does not look at later items, so
            # one that is ready no longer keeps its place; README.md.
            self.settle(a, ep)
            self.say(a, f"epoll_wait_fits({ep}, {most}, {timeout}, {fits})")
        else:
            ns, size = self.pick([(-1, 8), (1000000000, 8), (0, 4)])
            self.say(a, f"epoll_pwait2_bad({ep}, {most}, {ns}, {size})")

    def size(self, a, slot):
        kind = self.table(a).kinds.get(slot)
        if kind in ("eventfd", "timer"):
            return self.pick([8, 8, 8, 8, 8, 16, 4, 0, 100])
        if kind in ("pipe", "unix"):
            return self.pick(SIZES)
        if kind == "dgram":
            return self.pick([0, 1, 8, 100, 4000])
        return self.pick(TCP_SIZES)

    def read(self, a):
        slot = self.transfer(a, "pipe", "unix", "dgram", "tcp", "eventfd",
                             "timer")
        size = self.size(a, slot)
        if self.chance(0.3):
            size = self.pick([8, 65536, 200000])
        shape = self.rng.random()
        if shape < 0.88:
            self.say(a, f"read({slot}, {size})")
        elif shape < 0.96:
            self.say(a, f"readv({slot}, {size}, {self.pick([8, 16])})")
        elif shape < 0.98:
            self.say(a, f"read_bad({slot}, {size})")
        else:
            self.say(a, f"pread({slot}, {size}, 0)")

    def write(self, a):
        slot = self.transfer(a, "pipe", "unix", "dgram", "tcp", "eventfd")
        size = self.size(a, slot)
        kind = self.table(a).kinds.get(slot)
        if kind == "eventfd" and self.chance(0.8):
            self.say(a, f"write8({slot}, 0x{self.pick(COUNTS):x})")
        elif self.chance(0.9):
            self.say(a, f"write({slot}, {size})")
        elif self.chance(0.8):
            self.say(a, f"writev({slot}, {self.pick([8, 16, size])}, 16)")
        else:
            self.say(a, f"write_bad({slot}, {size})")

    def settle(self, a, ep):
        """Has items that are ready no longer leave the ready list."""
        self.say(a, f"epoll_wait({ep}, 1000, 0)" if not self.polls_epolls
                 else f"epoll_wait_any_order({ep}, 0)")

    def shut(self, a):
        # SHUT_RD wakes the peer, which gets no readier by it: no trace of
        # that under epemu, and natively an edge for an epoll around.
        how = self.pick(["SHUT_WR", "SHUT_RDWR"])
        self.say(a, f"shutdown({self.some(a, 'unix', 'tcp', 'dgram')}, {how})")
        # It wakes items that are not ready, too, which leaves no trace under
        # epemu; README.md. A wait for all drops them natively.
        for ep in self.table(a).of("epoll"):
            self.settle(a, ep)

    def send(self, a):
        slot = self.transfer(a, "tcp", "unix", "tcp")
        flags = self.pick(["MSG_DONTWAIT", "MSG_OOB", "0"])
        if self.chance(0.5):
            self.say(a, f"send({slot}, {self.pick(TCP_SIZES)}, {flags})")
        else:
            flags = self.pick(["MSG_DONTWAIT", "MSG_DONTWAIT|MSG_PEEK",
                               "MSG_DONTWAIT|MSG_OOB"])
            self.say(a, f"recv({slot}, {self.pick([1, 100, 4000])}, {flags})")

    def connect(self, a):
        listeners = self.table(a).of("listen")
        if not listeners or self.next_slot > SLOTS - 4:
            return
        listener = self.pick(listeners)
        call = self.pick(["tcp_connect", "tcp_accept"])
        if a == 0 and self.may_sleep(listener):
            call = "tcp_connect"
        words = self.flags("SOCK_NONBLOCK", "SOCK_CLOEXEC")
        slot = self.new("t")
        self.say(a, f"{slot} = {call}({listener}, {self.join(words)})")
        self.made(a, "tcp", slot)

    def timer(self, a):
        slot = self.some(a, "timer")
        if self.chance(0.6):
            self.say(a, f"timerfd_expire({slot}, {self.pick([0, 0, 1000])})")
        else:
            self.say(a, f"timerfd_set({slot}, {self.pick([0, 1000])})")

    def close(self, a):
        slot, t = self.any_slot(a), self.table(a)
        self.say(a, f"close({slot})")
        kind = t.kinds.pop(slot, None)
        if kind:
            t.stale[slot] = kind

    def dup(self, a):
        old, t = self.any_slot(a), self.table(a)
        kind = t.kinds.get(old)
        if self.chance(0.2) and kind and len(t.kinds) > 1:
            over = self.pick(list(t.kinds))
            self.say(a, f"dup2({old}, {over})")
            t.kinds[over] = kind
            self.origin[over] = self.file_of(old)
            if self.may_sleep(old):
                self.blocking.add(self.number(over))
        elif self.next_slot < SLOTS:
            new = self.new("d")
            if self.chance(0.7):
                self.say(a, f"{new} = dup({old})")
            else:
                how = self.pick(["F_DUPFD", "F_DUPFD_CLOEXEC"])
                self.say(a, f"{new} = dupfd({old}, {how}, "
                            f"{self.pick([0, 0, 20, 100])})")
            if kind:
                t.kinds[new] = kind
                self.origin[new] = self.file_of(old)
                if self.may_sleep(old):
                    self.blocking.add(self.number(new))

    def pass_fd(self, a):
        slots = self.table(a).of("unix", "dgram")
        if not slots or self.next_slot > SLOTS - 4:
            return
        way = self.pick(slots)
        if self.chance(0.5):
            fd = self.any_slot(a)
            self.say(a, f"sendfd({way}, {fd})")
            self.sent = self.table(a).kinds.get(fd, "pipe")
            self.sent_file = self.file_of(fd)
        else:
            self.blocking.add(self.next_slot)
            new = self.new("f")
            flags = self.pick(["0", "MSG_CMSG_CLOEXEC"])
            self.say(a, f"{new} = recvfd({way}, {flags})")
            self.made(a, self.sent or "pipe", new)
            self.origin[new] = self.sent_file or new

    def look(self, a):
        slot = self.any_slot(a)
        shape = self.rng.random()
        if shape < 0.3:
            events = self.pick([1, 4, 5, 0x2007, 0xffff])
            if self.polls_epolls:
                timeout = self.pick([0, 0, 0, -1 if a else 0])
                slot = self.some(a, "epoll")
                self.say(a, f"poll({slot}, {events}, {timeout})")
            else:
                self.say(a, f"poll_file({slot}, {events})")
        elif shape < 0.4:
            self.say(a, f"link({slot})")
        elif shape < 0.5:
            self.say(a, f"fcntl({slot}, {self.pick(['F_GETFL', 'F_GETFD'])}"
                        ", 0)")
        elif shape < 0.6:
            value = "0" if self.may_sleep(slot) else "O_NONBLOCK"
            self.say(a, f"fcntl({slot}, F_SETFL, {value})")
        elif shape < 0.8:
            self.say(a, f"eventfd_count({self.some(a, 'eventfd')})")
        elif shape < 0.9:
            self.look_deeper(a, slot)
        else:
            value = self.pick(["0", "FD_CLOEXEC"])
            self.say(a, f"fcntl({slot}, F_SETFD, {value})")

    def look_deeper(self, a, slot):
        slot = self.some(a, "epoll", "eventfd", "timer", "pipe")
        if self.chance(0.5):
            self.say(a, f"lseek({slot}, {self.pick([0, 10, -1])}, "
                        f"{self.pick(['SEEK_SET', 'SEEK_CUR'])})")
        else:
            command = self.pick(["FIONREAD", "FIONBIO", "EPIOCGPARAMS",
                                 "0x5401"])
            self.say(a, f"ioctl({slot}, {command}, {self.pick([0, 1])})")

    # Actors.

    def spawn(self, a):
        free = [n for n in range(1, self.actors) if n not in self.tables]
        if not free:
            return
        new = free[0]
        if self.chance(0.5):
            self.say(a, f"fork({new})")
            self.tables[new] = Table(self.table(a).kinds)
            self.leader[new] = new
        else:
            self.say(a, f"thread({new})")
            self.tables[new] = self.table(a)
            self.leader[new] = self.leader[a]

    def act_on_actor(self, a):
        others = [n for n in self.tables if n != a]
        if not others:
            self.say(a, f"signal({a})")
            return
        other = self.pick(others)
        shape = self.rng.random()
        if shape < 0.5 and self.signals:
            self.say(a, f"signal({other})")
        elif shape < 0.6 and self.signals:
            self.say(a, f"handler({self.pick(['0', 'SA_RESTART'])})")
        elif shape < 0.75 and self.signals:
            self.say(a, f"sigmask({self.pick(['EMPTY', 'USR1'])})")
        elif shape < 0.85 and self.signals:
            self.say(a, f"stop({other})")
        elif shape < 0.88:
            self.say(a, "unshare(CLONE_FILES)")
            self.tables[a] = Table(self.table(a).kinds)
        elif shape < 0.93 and len(self.tables) > 2:
            self.end(a, other)

    def end(self, a, other):
        """An actor ends; with it the threads of its process, perhaps."""
        if self.chance(0.5):
            self.say(other, "exit()")
            gone = ([other] if self.leader[other] != other else
                    [n for n in self.tables if self.leader[n] == other])
        else:
            self.say(a, f"kill({other})")
            gone = [n for n in self.tables
                    if self.leader[n] == self.leader[other]]
        for n in gone:
            if len(self.tables) > 1:
                del self.tables[n]

    def use(self, a):
        shapes = [(self.ctl, 24), (self.wait, 24), (self.read, 12),
                  (self.write, 16), (self.close, 4), (self.dup, 3),
                  (self.look, 6), (self.act_on_actor, 3), (self.spawn, 3)]
        t = self.table(a)
        if t.of("unix", "tcp", "dgram"):
            shapes += [(self.shut, 2), (self.send, 3), (self.pass_fd, 3)]
        if t.of("listen"):
            shapes.append((self.connect, 5))
        if t.of("timer"):
            shapes.append((self.timer, 6))
        shape = self.rng.choices([s for s, _ in shapes],
                                 [w for _, w in shapes])[0]
        shape(a)

    def generate(self):
        self.make_epoll(0)
        while len(self.lines) < self.ops:
            a = self.pick(list(self.tables))
            few = len(self.table(a).kinds) < 4
            if self.chance(0.8 if few else 0.1):
                self.make(a)
            else:
                self.use(a)
        return self.lines


def generate(seed, ops):
    """The lines of the program with this seed."""
    return Program(seed, ops).generate()
