#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The stacks of the calls: programs whose frames are known.

    test_stack.py EPEMU DIRECTORY

The directory is where stacks.c was built, in several ways.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys

from common import CACHE, EPEMU, HERE, ROOT, TraceCase, main
from harness import children, is_gone, supervisor_of

try:
    import jsonschema
except ImportError:
    jsonschema = None

BUILT = sys.argv.pop(1)
SOURCE = (HERE / "stacks.c").read_text(encoding="utf-8").splitlines()
OWN = set(re.findall(r"^KEPT static void (\w+)\(", "\n".join(SOURCE),
                     re.MULTILINE)) | {
    "main", "in_thread", "handler", "in_first", "in_second", "call"}
FRAME = re.compile(
    r"^ (?P<mark>[>?]) (?P<module>.*?(?: \(deleted\))?)\((?:(?P<function>.+)\+"
    r"0x(?P<offset>[0-9a-f]+))?\) \[0x(?P<address>[0-9a-f]+)\]"
    r"(?: (?P<file>\S+):(?P<line>\d+))?$")
CALL = re.compile(r"^ *\d+\.\d{6} \d+(?:/\d+)? .*?  ([a-z0-9_]+)\(")
MOST_FRAMES = 128
MOST_FAILURES = 16      # of files whose symbols cannot be read

PLAIN = ["leaf", "middle", "outer", "main"]
EXPECTED = {
    "plain": [PLAIN],
    "alloca": [["leaf", "grown", "grow", "main"]] * 40,
    "callers": [[*way, "callers", "main"] for way in (
        PLAIN[:3], PLAIN[:2], ["leaf", "grown"], ["leaf"])] * 3,
    "threads": [["leaf", "middle", "outer", "in_thread"]] * 8,
    "signal": [["leaf", "middle", "outer", "handler", "handle", "main"]],
    "fork": [["leaf", "middle", "outer", "fork_one", "main"]] * 2,
    "exec": [["leaf", "middle", "execute", "main"], PLAIN],
}
SURE = ["o0", "fast", "pointers", "static", "static-pie"]


class Stack(TraceCase):
    def built(self, way, *words):
        """The command line of stacks.c, built in one way."""
        path = os.path.join(BUILT, f"stacks-{way}")
        if not os.path.exists(path):
            self.lacks(f"stacks-{way} is not built")
        return [path, *words]

    def parsed(self, text):
        """[(call, [frames], cut)] of a trace in which each line is whole."""
        calls = []
        for line in text.splitlines():
            call = CALL.match(line)
            if call:
                calls.append([call[1], [], False])
                continue
            self.assertFalse(calls[-1][2], line)
            if line == " > ...":
                calls[-1][2] = True
                continue
            frame = FRAME.match(line)
            self.assertTrue(frame, line)
            calls[-1][1].append(frame)
        for call in calls:
            self.assertTrue(call[1], call)
            self.assertLessEqual(len(call[1]), MOST_FRAMES)
        return calls

    def stacks(self, argv, *options, **more):
        return self.parsed(self.traced(argv, "--stack", *options, **more))

    def writes(self, argv, **more):
        """The frames of each write to the eventfd."""
        return [frames for call, frames, _ in self.stacks(argv, **more)
                if call == "write"]

    @staticmethod
    def own(frames):
        """The names of those frames that are in the source."""
        return [frame["function"] for frame in frames
                if frame["function"] in OWN]

    def check(self, way, case, expected):
        writes = self.writes(self.built(way, case))
        self.assertEqual([self.own(frames) for frames in writes], expected,
                         (way, case))
        for frames in writes:
            self.assertEqual({frame["mark"] for frame in frames}, {">"},
                             (way, case))

    def test_each_way_of_building(self):
        for way in SURE:
            for case, expected in EXPECTED.items():
                self.check(way, case, expected)

    def test_waits_that_sleep(self):
        for way in SURE:
            waits = [frames for call, frames, _ in
                     self.stacks(self.built(way, "waits"))
                     if call in ("epoll_wait", "epoll_pwait")]
            self.assertEqual([self.own(frames) for frames in waits],
                             [["wait_in", "waits", "main"]] * 16, way)

    def test_deep(self):
        for way in SURE:
            calls = [call for call in self.stacks(self.built(way, "deep"))
                     if call[0] == "write"]
            self.assertEqual(self.own(calls[0][1]), ["leaf"] +
                             ["deep"] * 21 + ["deep_twice", "main"])
            self.assertFalse(calls[0][2])
            self.assertEqual(len(calls[1][1]), MOST_FRAMES)
            self.assertTrue(calls[1][2])

    def test_the_whole_stack(self):
        """From the C library's wrapper to the first instruction."""
        frames = self.writes(self.built("fast", "plain"))[0]
        self.assertRegex(frames[0]["module"], r"/libc\.so")
        self.assertEqual(frames[-1]["function"], "_start")
        for frame in frames[1:5]:
            self.assertEqual(frame["module"], self.built("fast")[0])

    def test_libraries(self):
        """Of two libraries in one place each frame has its own name."""
        names = [os.path.join(BUILT, f"libstacks_{name}.so")
                 for name in ("first", "second")] * 2
        writes = self.writes(self.built("fast", "load", *names))
        self.assertEqual(
            [self.own(frames) for frames in writes],
            [["leaf", f"in_{name}", "call", "load", "main"]
             for name in ("first", "second")] * 2)

    def test_stripped(self):
        """No names but those that are exported: the module and addresses."""
        program = self.built("fast")[0]
        named = self.writes([program, "plain"])[0]
        stripped = self.writes(self.built("stripped", "plain"))[0]
        self.assertEqual([frame["address"] for frame in stripped],
                         [frame["address"] for frame in named])
        for frame, other in zip(stripped, named):
            if other["module"] == program:
                self.assertEqual(frame["function"], None)
                self.assertEqual(frame["module"],
                                 self.built("stripped")[0])

    def test_without_tables(self):
        """A guess, and marked as one; but it begins right."""
        writes = self.writes(self.built("no-tables", "plain"))
        self.assertEqual(self.own(writes[0])[0], "leaf")
        self.assertEqual([frame["mark"] for frame in writes[0][1:]
                          if self.own([frame]) not in ([], ["leaf"])],
                         ["?"] * (len(self.own(writes[0])) - 1))

    def test_musl(self):
        writes = self.writes(self.built("musl", "plain"))
        self.assertEqual([self.own(frames) for frames in writes], [PLAIN])
        self.assertEqual(writes[0][0]["mark"], ">")
        self.assertEqual({frame["mark"] for frame in writes[0][1:]}, {"?"})

    def test_lines(self):
        """Where each function goes on is behind its call of the next."""
        for way in ("o0", "pointers"):
            frames = {frame["function"]: frame for frame in
                      self.writes(self.built(way, "plain"))[0]}
            for caller, called in zip(PLAIN[1:3], PLAIN):
                frame = frames[caller]
                self.assertTrue(frame["file"].endswith("stacks.c"), frame[0])
                self.assertEqual(SOURCE[int(frame["line"]) - 1].strip(),
                                 f"{called}();")

    def test_cxx(self):
        writes = self.writes([os.path.join(BUILT, "stacks-cxx")]
                             if os.path.exists(f"{BUILT}/stacks-cxx")
                             else self.lacks("there is no C++ compiler"))
        self.assertIn(
            "names::Holder<unsigned short>::add(unsigned short) const",
            [frame["function"] for frame in writes[0]])

    def check_rust(self, name, function):
        path = CACHE / "bin" / name
        if not path.exists():
            self.lacks(f"{name} is not built")
        calls = self.stacks([str(path), "timers", "mt"])
        names = {frame["function"] for _, frames, _ in calls
                 for frame in frames if frame["function"]}
        self.assertTrue(any(re.match(function, name) for name in names),
                        names)
        self.assertEqual([name for name in names
                          if re.match(r"_ZN|_R[A-Z]", name)], [])
        self.assertTrue(any("src/runtime/" in frame["file"]
                            for _, frames, _ in calls for frame in frames
                            if frame["file"]))

    def test_rust(self):
        self.check_rust("epemu-tokio",
                        r"<?tokio::runtime::io::driver::Driver>?::new$")

    def test_rust_static_with_musl(self):
        self.check_rust("epemu-tokio-musl",
                        r"<?tokio::runtime::io::driver::Driver>?::new$")

    def test_json(self):
        if not jsonschema:
            self.lacks("python3-jsonschema is not installed")
        schema = json.loads((ROOT / "docs/trace-schema.json").read_text())
        validator = jsonschema.Draft7Validator(schema)
        for way, case in (("o0", "plain"), ("stripped", "plain"),
                          ("no-tables", "plain"), ("fast", "deep")):
            text = self.traced(self.built(way, case), "--stack",
                               "--trace-format=json")
            lines = [json.loads(line) for line in text.splitlines()]
            for line in lines:
                validator.validate(line)
                if line["type"] == "call":
                    self.assertIn("stack", line)
            if case == "plain" and way == "o0":
                self.assertEqual(
                    [frame["function"] for frame in lines[-2]["stack"]
                     if frame.get("function") in OWN], PLAIN)

    def test_perfetto(self):
        text = self.traced(self.built("fast", "plain"), "--stack",
                           "--trace-format=perfetto")
        slices = [event for event in json.loads(text) if event["ph"] == "X"]
        for event in slices:
            self.assertTrue(any("(main+0x" in frame
                                for frame in event["args"]["stack"]))

    def test_filtered(self):
        calls = self.stacks(self.built("fast", "plain"),
                            "--trace-filter=call=eventfd2")
        self.assertEqual([call for call, _, _ in calls], ["eventfd2"])

    def test_storm(self):
        """Stops and signals together: no call fails, or counts twice."""
        for way in ("pointers", "fast"):
            argv = self.built(way, "storm")
            self.assertEqual(self.run_it(argv).stdout, "1500\n")
            writes = self.writes(argv)
            self.assertEqual(len(writes), 1500)
            for frames in writes:
                self.assertEqual(self.own(frames),
                                 ["leaf", "grown", "storm", "main"])

    def test_traced_by_another(self):
        """Where a thread cannot be stopped, what is known is shown."""
        if not shutil.which("strace"):
            self.lacks("strace is not installed")
        writes = self.writes(["strace", "-f", "-o", "/dev/null",
                              *self.built("pointers", "plain")])
        self.assertEqual(len(writes), 1)
        self.assertEqual(self.own(writes[0]), PLAIN[:len(self.own(writes[0]))])

    def test_lies(self):
        """Stacks and a table that are made to mislead."""
        for way in SURE + ["no-tables", "musl"]:
            self.stacks(self.built(way, "lie"))
        calls = self.stacks(self.built("fast", "circle"))
        self.assertEqual(self.own(calls[-1][1])[:2], ["leaf", "circle"])
        self.assertTrue(calls[-1][2])

    def test_damaged_files(self):
        """What is not executed may be anything; the program still runs."""
        for seed in range(24):
            way = ("pointers", "static", "o0")[seed % 3]
            path = os.path.join(self.folder, "damaged")
            shutil.copy(self.built(way)[0], path)
            damage(path, random.Random(seed))
            calls = self.stacks([path, "plain"])
            self.assertEqual([call for call, _, _ in calls][-1], "write")

    def test_replaced(self):
        """Names come from the file that is mapped, or there are none."""
        path = os.path.join(self.folder, "program")
        by = os.path.join(self.folder, "by")

        def prepare():
            shutil.copy(self.built("fast")[0], path)
            shutil.copy(self.built("o0")[0], by)
        prepare()
        argv = [path, "replace", by, path]
        self.assertEqual(self.run_it(argv).returncode, 0)
        prepare()
        trace = os.path.join(self.folder, "trace")
        run = self.run_it([EPEMU, f"--trace={trace}", "--stack", *argv])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        with open(trace, encoding="utf-8") as file:
            call, frames, _ = self.parsed(file.read())[-1]
        self.assertEqual(call, "write")
        self.assertTrue(any("(deleted)" in frame["module"]
                            for frame in frames))
        self.assertIn(self.own(frames),
                      ([], ["leaf", "middle", "outer", "replace", "main"]))

    def test_mount_namespace(self):
        """A program that only its own namespace has."""
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        argv = ["unshare", "-m", "sh", "-c",
                'mount -t tmpfs none "$1" && cp "$0" "$1/program" && '
                'exec "$1/program" plain', self.built("static")[0], place]
        if self.run_it(argv).returncode:
            self.lacks("no mount namespace can be made here")
        self.assertEqual(self.own(self.writes(argv)[-1]), PLAIN)

    def test_mistakes(self):
        for options in (["--stack"], ["--stack", "--record=/dev/null"]):
            run = self.run_it([EPEMU, *options, "true"])
            self.assertEqual(run.returncode, 125)
            self.assertRegex(run.stderr,
                             r"\Aepemu: --stack takes --trace as well;.*\n\Z")

    def start_twice(self, path, *argv):
        """What writes, says so, and writes again when it is told to."""
        return self.start([EPEMU, f"--trace={path}", "--stack", *argv],
                          stdin=subprocess.PIPE)

    def end_helper(self, process, number):
        """Between both writes; returns the process that read symbols."""
        self.assertEqual(process.stdout.readline(), "ready\n")
        helpers = [pid for pid, comm in
                   children(supervisor_of(process.pid)).items()
                   if comm == "epemu-symbols"]
        for helper in helpers:
            os.kill(helper, number)
        process.stdin.write("\n")
        process.stdin.flush()
        return helpers

    def writes_of(self, path):
        with open(path, encoding="utf-8") as file:
            return [frames for call, frames, _ in self.parsed(file.read())
                    if call == "write"]

    def check_helper(self, number):
        """Without the process that reads symbols the program goes on."""
        path = os.path.join(self.folder, "trace")
        process = self.start_twice(path, *self.built("fast", "twice"))
        helpers = self.end_helper(process, number)
        self.assertEqual(len(helpers), 1)
        self.assertEqual(process.wait(60), 0)
        writes = self.writes_of(path)
        self.assertEqual(self.own(writes[0]),
                         ["leaf", "middle", "twice", "main"])
        self.assertEqual(len(writes[1]), len(writes[0]) + 1)
        self.assertTrue(is_gone(helpers[0]))

    def test_symbols_crash(self):
        self.check_helper(signal.SIGKILL)

    def test_symbols_hang(self):
        self.check_helper(signal.SIGSTOP)

    def test_symbols_crash_for_many_files(self):
        """After so many files there are no names any more."""
        path = os.path.join(self.folder, "trace")
        program = self.built("fast")[0]
        copies = [shutil.copy(program, os.path.join(self.folder, f"copy{i}"))
                  for i in range(MOST_FAILURES + 2)]
        process = self.start_twice(path, "sh", "-c",
                                   'for copy; do "$copy" twice || exit; done',
                                   "sh", *copies)
        for i in range(len(copies)):
            self.assertEqual(len(self.end_helper(process, signal.SIGKILL)),
                             i < MOST_FAILURES, i)
        self.assertEqual(process.wait(60), 0)
        self.assertEqual([self.own(frames)
                          for frames in self.writes_of(path)[::2]],
                         [["leaf", "middle", "twice", "main"]] * MOST_FAILURES
                         + [[]] * 2)


def sections(data):
    """(name, offset, size) of the sections of a 64-bit ELF file."""
    def number(at, size):
        return int.from_bytes(data[at:at + size], "little")
    table, each = number(0x28, 8), number(0x3a, 2)
    headers = [table + each * i for i in range(number(0x3c, 2))]
    names = number(headers[number(0x3e, 2)] + 0x18, 8)
    for header in headers:
        start = names + number(header, 4)
        name = data[start:data.index(b"\0", start)].decode()
        yield name, number(header + 0x18, 8), number(header + 0x20, 8)


def damage(path, chance):
    """Changes bytes of what only debuggers and unwinders read."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    places = [(at, size) for name, at, size in sections(data)
              if re.match(r"\.(symtab|strtab|shstrtab|debug_|eh_frame)",
                          name) and size]
    table = int.from_bytes(data[0x28:0x30], "little")
    places.append((table, len(data) - table))
    for _ in range(200):
        at, size = chance.choice(places)
        data[at + chance.randrange(size)] = chance.randrange(256)
    if chance.random() < 0.3:
        at, size = chance.choice(places)
        data[at:at + size] = chance.randbytes(size)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)


if __name__ == "__main__":
    main()
