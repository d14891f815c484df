#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The trace for the Perfetto viewer."""

import collections
import json
import os
import signal

from common import CUT_OFF, EPEMU, TraceCase, main


class Perfetto(TraceCase):
    def events(self, text):
        """The events of a trace, by phase, with what must hold of all."""
        found = collections.defaultdict(list)
        for event in json.loads(text):
            found[event["ph"]].append(event)
        self.assertLessEqual(set(found), set("XMCsf"))
        named = {(event["pid"], event["tid"]) for event in found["M"]
                 if event["name"] == "thread_name"}
        for event in found["X"]:
            self.assertGreaterEqual(event["dur"], 0)
            self.assertIn((event["pid"], event["tid"]), named)
        self.check_flows(found)
        return found

    def check_flows(self, found):
        """Each arrow has two ends, each in a slice of its thread."""
        starts = {event["id"]: event for event in found["s"]}
        ends = {event["id"]: event for event in found["f"]}
        self.assertEqual(len(starts), len(found["s"]))
        self.assertEqual(set(starts), set(ends))
        slices = collections.defaultdict(list)
        for event in found["X"]:
            slices[event["tid"]].append(
                (event["ts"], event["ts"] + event["dur"] + 0.0011))
        for number, start in starts.items():
            self.assertLessEqual(start["ts"], ends[number]["ts"])
            for end in (start, ends[number]):
                self.assertTrue(
                    any(low <= end["ts"] <= high
                        for low, high in slices[end["tid"]]), end)

    def traced_events(self, argv):
        events = self.events(self.traced(argv, "--trace-format=perfetto"))
        self.assert_all(event["name"] for event in events["X"]
                        if not CUT_OFF.search(event["args"]["call"]))
        return events

    def test_brush(self):
        events = self.traced_events(self.brush())
        self.assertIn("epoll_wait", {event["name"] for event in events["X"]})
        self.assertIn("epoll#1 ready",
                      {event["name"] for event in events["C"]})

    def test_causes(self):
        events = self.traced_events(self.program("causes"))
        self.assertEqual(len(events["s"]), 3)
        self.assertEqual([event["args"]["value"] for event in events["C"]
                          if event["name"] == "eventfd#1 count"],
                         [3, 0, 7, 0, 1])

    def test_64_threads(self):
        events = self.traced_events(self.program("threads", "64"))
        waits = [event for event in events["X"]
                 if event["name"] == "epoll_wait"]
        self.assertEqual(len({event["tid"] for event in waits}), 64)

    def test_200_children(self):
        events = self.traced_events(self.program("forks", "200"))
        writes = [event for event in events["X"] if event["name"] == "write"]
        self.assertEqual(len({event["pid"] for event in writes}), 200)

    def test_killed_in_mid_call(self):
        path = os.path.join(self.folder, "trace")
        process = self.start([EPEMU, f"--trace={path}",
                              "--trace-format=perfetto",
                              *self.program("asleep")])
        self.assertEqual(process.stdout.readline(), "asleep\n")
        with open(path, encoding="utf-8") as file:
            pid = json.loads(file.read() + "]")[1]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(process.wait(60), -signal.SIGKILL)
        with open(path, encoding="utf-8") as file:
            events = self.events(file.read())
        self.assertEqual([event["name"] for event in events["X"]],
                         ["epoll_create1", "epoll_wait", "epoll_wait"])


if __name__ == "__main__":
    main()
