#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that clang-format would leave the C files as they are.

    format.py ROOT [CLANG_FORMAT]

Versions of clang-format differ in what they make of one configuration; the
tree is kept in the form of version 14, Debian 12's.
"""

import pathlib
import re
import subprocess
import sys

from tap import Report, c_files, skip_all

VERSION = "14"
RULE = "the C files are as clang-format has them"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    tool = sys.argv[2] if len(sys.argv) > 2 else ""
    if not tool:
        skip_all("clang-format is not installed")
    said = subprocess.run([tool, "--version"], capture_output=True, text=True,
                          check=True).stdout
    version = re.search(r"version (\d+)", said)
    if not version or version[1] != VERSION:
        skip_all(f"clang-format is not of version {VERSION}: {said.strip()}")
    report = Report([RULE])
    paths = [str(path) for path in c_files(root)]
    run = subprocess.run([tool, "--dry-run", "-Werror", "--style=file",
                          *paths], cwd=root, capture_output=True, text=True,
                         check=False)
    for line in run.stderr.splitlines():
        if "-Wclang-format-violations" in line:
            report.complain(RULE, line.partition(": error:")[0])
    if run.returncode != 0 and not report.complaints[RULE]:
        report.complain(RULE, run.stderr.strip() or "clang-format failed")
    report.finish()


if __name__ == "__main__":
    main()
