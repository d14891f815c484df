#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the demo's table.

Each line of the input holds, between tabs: the program, its exit status,
whether its output is the same as without epemu, and the calls, as calls.py
prints them.
"""

import sys
import textwrap

CALLS_WIDTH = 44


def main():
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
    width = max(len(row[0]) for row in rows)
    blank = " " * (width + 25)
    print(f"{'program':{width}}  exit  output    calls  of these")
    print(f"{'-' * width}  ----  -------  ------  {'-' * CALLS_WIDTH}")
    for name, status, output, calls in rows:
        total = sum(int(call.split()[1]) for call in calls.split(", ") if call)
        lines = textwrap.wrap(calls.replace(" ", "\xa0").replace(
            ",\xa0", ", "), CALLS_WIDTH) or ["none"]
        print(f"{name:{width}}  {status:>4}  {output:7}  {total:6}  "
              f"{lines[0]}".replace("\xa0", " "))
        for line in lines[1:]:
            print(blank + line.replace("\xa0", " "))


if __name__ == "__main__":
    main()
