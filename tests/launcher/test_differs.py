# SPDX-License-Identifier: MIT
"""Differences that README's limits tell of: each is there, and natively not.

One that is gone fails too, so that the limits stay true. Two of them are of
how often or how fast, and chance has a part in them: those are seen in one run
of five, or they are gone."""

import re

from harness import DIFFERS, EPEMU, TestCase, main


class Differs(TestCase):
    """Each case natively, then under epemu."""

    def finds(self, case, natively, under_epemu):
        for prefix, line in zip(self.ways(), (natively, under_epemu)):
            result = self.run_it([*prefix, DIFFERS, case])
            if result.stdout.startswith("the kernel has no "):
                self.skipTest(result.stdout.rstrip())
            self.assertEqual((result.returncode, result.stdout),
                             (0, f"{line}\n"), result.stderr)

    def test_strict_mode(self):
        self.finds("strict", "works", "EINVAL")

    def test_own_filter_that_traces(self):
        self.finds("trace", "ENOSYS", "works")

    def test_secret_memory(self):
        self.finds("secret",
                   "wait works, ctl works, read works, write works",
                   "wait EFAULT, ctl EFAULT, read works, write works")

    def test_what_a_handler_sees(self):
        self.finds("handler", "behind the call, EINTR", "at the call, EINTR")

    def test_tracer(self):
        self.finds("tracer", "untraced", "traced")

    def test_state(self):
        self.finds("state", "never asleep", "seen asleep")

    def finds_in_numbers(self, case, line, word, differ):
        """The line is the same. The number before the word is not."""
        for _ in range(5):
            counts = []
            for prefix in self.ways():
                result = self.run_it([*prefix, DIFFERS, case])
                self.assertEqual((result.returncode, result.stdout),
                                 (0, f"{line}\n"), result.stderr)
                counts.append(int(re.search(rf"(\d+) {word}",
                                            result.stderr)[1]))
            if differ(*counts):
                return
        self.fail(f"natively and under epemu: {counts} {word}")

    def test_exclusive_herd(self):
        """Others are woken, too; every connection is taken once."""
        self.finds_in_numbers("herd", "300 taken", "wakes for nothing",
                              lambda native, ours: ours > native + 20)

    def test_fast_timer(self):
        """There is hardly any time; nothing is lost or done twice."""
        self.finds_in_numbers("timer", "counted right", "written",
                              lambda native, ours: ours * 10 < native)

    def test_process_id(self):
        for prefix, same in zip(self.ways(), (True, False)):
            process = self.start([*prefix, "sh", "-c", "echo $$"])
            out, _ = process.communicate()
            self.assertEqual(int(out) == process.pid, same)


if __name__ == "__main__":
    main()
