# SPDX-License-Identifier: MIT
"""What the tests of statistics and state share."""

import json
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "launcher"))

# The path had to be there before.
from harness import (EPEMU, PYTHON, TestCase, main, program_of,  # noqa: E402
                     supervisor_of, wait_until)

try:
    import jsonschema
except ImportError:
    jsonschema = None

__all__ = ["EPEMU", "PYTHON", "HERE", "Case", "main", "program_of",
           "supervisor_of", "wait_until"]


class Case(TestCase):
    """Programs under epemu, with its messages in a file."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = os.path.join(folder.name, "log")

    def messages(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def reports(self):
        """The lines of JSON, each checked against the schema."""
        validator = self.validator()
        found = [json.loads(line) for line in self.messages().splitlines()
                 if line.startswith("{")]
        for report in found:
            validator.validate(report)
        return found

    def validator(self):
        if not jsonschema:
            self.lacks("python3-jsonschema is not installed")
        schema = json.loads((ROOT / "docs/stats-schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        return jsonschema.Draft7Validator(schema)

    def dump(self, pid, **more):
        result = self.run_it([EPEMU, f"--dump={pid}"], **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def start_script(self, script, *options):
        """Starts a Python script under epemu. It says "ready" first."""
        process = self.start(
            [EPEMU, "-o", self.log, *options, PYTHON, "-c", script],
            stdin=-1)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def dump_with(self, process, part):
        """The first dump that has `part` in it."""
        def look():
            text = self.dump(process.pid)
            return text if part in text else None
        return wait_until(look, f"a dump with {part!r}")

    def end(self, process, status=0):
        """Ends a script by the end of its standard input."""
        process.stdin.close()
        self.assertEqual(process.wait(60), status)
