#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what the formatter and the compiler do not.

    style.py ROOT
"""

import pathlib
import re
import sys

from tap import Report, tree_files

LINES_MAX = 500
CODE = {".c", ".h", ".py", ".sh", ".rs", ".js", ".mjs", ".go", ".java"}
# Written by package managers; not for people to read.
GENERATED = {"Cargo.lock", "package-lock.json", "go.sum"}
LOOPBACK = r"(?:localhost|127\.|\[::1?\]|0\.0\.0\.0|[$%{\"'`])"

SPDX = "code opens with its licence"
JOB = "each .c file of emu/, stats/, trace/ and launcher/ opens by saying what it is for"
LENGTH = f"no C file has more than {LINES_MAX} lines"
SPACE = "no line ends in white space, every file ends with a line feed"
UNFINISHED = "nothing is marked as unfinished"
PLACES = "no path of one person's machine, no host but the loopback"
RULES = [SPDX, JOB, LENGTH, SPACE, UNFINISHED, PLACES]

# Put together so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(
    ["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")(?:[:(\s]|$)|^<{7} |^>{7} ")
PERSONAL = re.compile(
    r"(?<![\w.$}])/(?:home|root|Users|work|workspace|mnt)/\w")
# The name of a language of XML is no host.
NAMESPACE = r"www\.w3\.org/\d"
HOST = re.compile(r"\b(?:https?|git|ftp|ssh)://(?!" + LOOPBACK + "|" +
                  NAMESPACE + ")")


def is_code(path, first_line):
    """Source code or a script, which has to carry the licence."""
    return path.suffix in CODE or first_line.startswith("#!")


def check_c(report, path, text):
    """What holds for the C files of the product."""
    if path.suffix in (".c", ".h") and text.count("\n") > LINES_MAX:
        report.complain(LENGTH, f"{path}: {text.count(chr(10))} lines")
    if path.suffix == ".c" and path.parts[0] in ("emu", "stats", "trace", "launcher") and \
            not re.match(r"/\* SPDX[^\n]*\n/\*", text):
        report.complain(JOB, str(path))


def check_lines(report, path, text):
    """What holds for each line of any text."""
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path}:{number}"
        if line != line.rstrip():
            report.complain(SPACE, place)
        if MARKS.search(line):
            report.complain(UNFINISHED, f"{place}: {line.strip()[:60]}")
        if PERSONAL.search(line) or HOST.search(line):
            report.complain(PLACES, f"{place}: {line.strip()[:60]}")
    if text and not text.endswith("\n"):
        report.complain(SPACE, f"{path}: the last line is not ended")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    report = Report(RULES)
    for path in tree_files(root):
        if path.name in GENERATED or (root / path).is_symlink():
            continue
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = text.split("\n", 2)
        if is_code(path, lines[0]) and \
                "SPDX-License-Identifier: MIT" not in "\n".join(lines[:2]):
            report.complain(SPDX, str(path))
        check_c(report, path, text)
        check_lines(report, path, text)
    report.finish()


if __name__ == "__main__":
    main()
