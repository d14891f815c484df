# SPDX-License-Identifier: MIT
"""Rows for many items, many threads, start-up, and a supervisor that is to
sleep."""

from columns import EPEMU, FLOOR, NATIVE, STRACE, STRACE_BPF, TRACE
from programs import run_json
from rows import TIME, Row, Target

SIZES = (10, 1000, 10000, 100000)
WAITERS = 1000
CONNECTIONS = 10000


class Shared:
    """One run of epemu-bench that gives the values of several rows."""

    def __init__(self, measure, amount):
        self.measure = measure
        self.amount = amount
        self.known = {}

    def fields(self, bench, column):
        """The fields of this repetition."""
        key = (column, bench.turn)
        if key not in self.known:
            duration = 300 if bench.size == "full" else 100
            self.known[key] = run_json(
                [*bench.columns.prefix(column),
                 bench.programs.bench("epemu-bench"), self.measure,
                 str(duration), str(self.amount)])
        return self.known[key]


class ScaleRow(Row):
    """One field of such a run."""

    group = "scale"
    repetitions = {"full": 3, "quick": 2}

    def __init__(self, name, title, shared, field, unit="ns",
                 columns=(NATIVE, EPEMU, TRACE)):
        super().__init__(name, title)
        self.shared = shared
        self.field = field
        self.unit = unit
        self.columns = columns

    def measure(self, bench, column):
        return self.shared.fields(bench, column)[self.field]

    def details(self):
        return [{"column": column, "turn": turn, **fields}
                for (column, turn), fields in self.shared.known.items()]


class BusyRow(ScaleRow):
    """What the supervisor runs while a socket is read natively."""

    def __init__(self):
        super().__init__("busy-socket",
                         "supervisor, a busy socket and no wait",
                         Shared("busy-socket", 1), "supervisor_ns",
                         "% of a processor", (EPEMU, TRACE))
        self.targets.append(Target(
            "asleep: % of a processor ≤ 1",
            lambda results: results[self.name].spread(EPEMU).median, 1, True))

    def measure(self, bench, column):
        fields = self.shared.fields(bench, column)
        return 100 * fields["supervisor_ns"] / \
            (fields["messages"] * fields["ns"])


class StartRow(Row):
    """From start to end of a program that does nothing."""

    group = "start-up"
    kind = TIME
    unit = "ms"
    repetitions = {"full": 7, "quick": 5}
    columns = (NATIVE, FLOOR, EPEMU, TRACE, STRACE_BPF, STRACE)

    def __init__(self, name, title, program):
        super().__init__(name, title)
        self.program = program
        self.targets.append(Target(
            "epemu - native, ms ≤ 5", self.more_than_native, 5, True))

    def more_than_native(self, results):
        """In ms."""
        result = results[self.name]
        return result.spread(EPEMU).median - result.spread(NATIVE).median

    def measure(self, bench, column):
        times = 30 if bench.size == "full" else 10
        return run_json([bench.programs.bench("epemu-bench-spawn"),
                         str(times),
                         *bench.columns.prefix(column, whole_program=True),
                         self.program(bench)])["ms"]


def growth(results):
    """A wait with the most items against one with the fewest."""
    most, fewest = results[f"wait-of-{SIZES[-1]}"], results["wait-of-10"]
    return most.spread(EPEMU).median / fewest.spread(EPEMU).median


def registered_rows():
    """One run for each size."""
    runs = {size: Shared("registered", size) for size in SIZES}
    waits = [ScaleRow(f"wait-of-{size}", f"wait, 1 ready of {size:,}", run,
                      "wait_ns") for size, run in runs.items()]
    adds = [ScaleRow(f"add-to-{size}", f"epoll_ctl ADD to {size:,}", run,
                     "add_ns") for size, run in runs.items()]
    waits[-1].targets.append(Target(
        f"epemu, {SIZES[-1]:,} / 10 ≤ 1.2", growth, 1.2, True))
    memory = ScaleRow("memory-registration",
                      "supervisor's memory, one registration",
                      runs[10000], "supervisor_bytes", "bytes", (EPEMU,))
    memory.targets.append(Target(
        "bytes ≤ 512",
        lambda results: results[memory.name].spread(EPEMU).median, 512, True))
    return [*waits, *adds, memory]


def scale_rows():
    """All of them."""
    waiters = Shared("waiters", WAITERS)
    return [
        *registered_rows(),
        ScaleRow("waiters", f"wake, wait and read of {WAITERS:,} threads",
                 waiters, "wake_ns"),
        ScaleRow("memory-waiter", "supervisor's memory, one waiting thread",
                 waiters, "supervisor_bytes", "bytes", (EPEMU,)),
        ScaleRow("connections", f"{CONNECTIONS:,} connections become ready",
                 Shared("connections", CONNECTIONS), "served_ns"),
        BusyRow(),
        StartRow("start-static", "start and end, a static program",
                 lambda bench: bench.programs.bench("nothing-static")),
        StartRow("start-dynamic", "start and end, a dynamic program",
                 lambda bench: bench.programs.bench("nothing-dynamic")),
        StartRow("start-true", "start and end, true",
                 lambda bench: bench.programs.tool("true")),
    ]
