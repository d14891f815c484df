#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs shellcheck on the shell scripts.

    shell.py ROOT [SHELLCHECK]

Those are the files with a shell in their first line; files that they source
are looked at with them.
"""

import pathlib
import re
import subprocess
import sys

from tap import Report, skip_all, tree_files

RULE = "shellcheck has nothing to say"
SHEBANG = re.compile(r"#!.*\b(?:ba|da)?sh\b")


def is_script(root, path):
    """A shell script that is run, not sourced."""
    with open(root / path, "rb") as file:
        return SHEBANG.match(file.readline(200).decode(errors="replace"))


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    tool = sys.argv[2] if len(sys.argv) > 2 else ""
    if not tool:
        skip_all("shellcheck is not installed")
    report = Report([RULE])
    scripts = [str(path) for path in tree_files(root) if is_script(root, path)]
    run = subprocess.run(
        [tool, "--format=gcc", "--external-sources", "--check-sourced",
         "--source-path=SCRIPTDIR", "--severity=warning", *scripts],
        cwd=root, capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines() + run.stderr.splitlines():
        report.complain(RULE, line)
    if run.returncode != 0 and not report.complaints[RULE]:
        report.complain(RULE, f"shellcheck ended with {run.returncode}")
    report.finish()


if __name__ == "__main__":
    main()
