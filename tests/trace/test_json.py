#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The trace as JSON lines, against the schema in docs/."""

import collections
import json
import os
import signal

from common import EPEMU, ROOT, TraceCase, main

try:
    import jsonschema
except ImportError:
    jsonschema = None


class Json(TraceCase):
    def setUp(self):
        super().setUp()
        if not jsonschema:
            self.lacks("python3-jsonschema is not installed")
        schema = json.loads((ROOT / "docs/trace-schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        self.validator = jsonschema.Draft7Validator(schema)

    def calls(self, text):
        """The calls of a trace in which every line fits the schema."""
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            self.validator.validate(line)
        self.assertEqual(lines[0]["type"], "start")
        self.assertEqual(lines[-1], {"type": "end", "calls": len(lines) - 2,
                                     "lost": 0})
        calls = lines[1:-1]
        for call in calls:
            self.assertEqual(call["type"], "call")
            self.assertLessEqual(call["start_ns"], call["end_ns"])
        return calls

    def traced_calls(self, argv):
        calls = self.calls(self.traced(argv, "--trace-format=json"))
        self.assert_all(call["call"] for call in calls
                        if call["ended"] not in ("gone", "interrupted"))
        return calls

    def test_the_schema_refuses(self):
        for line in ({"type": "call"}, {"type": "end"}, {},
                     {"type": "start", "schema": "epemu-trace",
                      "version": 2}):
            self.assertFalse(self.validator.is_valid(line), line)

    def test_brush(self):
        calls = self.traced_calls(self.brush())
        self.assertEqual([call["call"] for call in calls[:3]],
                         ["epoll_create1", "eventfd2", "epoll_ctl"])
        self.assertEqual(calls[2]["args"]["item"]["name"], "eventfd#1")

    def test_causes(self):
        calls = self.traced_calls(self.program("causes"))
        waits = [call for call in calls if call["call"] == "epoll_wait"]
        self.assertEqual(waits[0]["woken"]["waker"]["call"], "write")
        self.assertEqual([wait["woken"]["by"] for wait in waits[:4]],
                         ["file", "file", "timeout", "signal"])
        self.assertEqual(waits[3]["woken"]["signal"], "SIGALRM")
        self.assertEqual((waits[3]["ended"], waits[3]["error"]),
                         ("interrupted", "EINTR"))
        self.assertEqual(waits[-1]["left"], 1)

    def test_64_threads(self):
        calls = self.traced_calls(self.program("threads", "64"))
        count = collections.Counter(call["call"] for call in calls)
        self.assertEqual(
            dict(count), {"eventfd2": 64, "epoll_create1": 64,
                          "epoll_ctl": 64, "epoll_wait": 64, "write": 64,
                          "read": 64})
        self.assertEqual(
            len({call["tid"] for call in calls
                 if call["call"] == "epoll_wait"}), 64)
        for call in calls:
            if call["call"] == "epoll_wait":
                self.assertEqual(call["result"], 1)

    def test_200_children(self):
        calls = self.traced_calls(self.program("forks", "200"))
        writes = [call for call in calls if call["call"] == "write"]
        self.assertEqual(len(writes), 200)
        self.assertEqual(len({call["pid"] for call in writes}), 200)
        self.assertEqual({call["args"]["eventfd"]["name"]
                          for call in writes}, {"eventfd#1"})
        reads = [call for call in calls if call["call"] == "read"]
        self.assertEqual([call["args"]["value"] for call in reads],
                         [1] * 200)

    def test_killed_in_mid_call(self):
        path = os.path.join(self.folder, "trace")
        process = self.start([EPEMU, f"--trace={path}",
                              "--trace-format=json",
                              *self.program("asleep")])
        self.assertEqual(process.stdout.readline(), "asleep\n")
        with open(path, encoding="utf-8") as file:
            pid = json.loads(file.read().splitlines()[1])["pid"]
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(process.wait(60), -signal.SIGKILL)
        with open(path, encoding="utf-8") as file:
            calls = self.calls(file.read())
        self.assertEqual([call["ended"] for call in calls],
                         ["given", "gone", "gone"])


if __name__ == "__main__":
    main()
