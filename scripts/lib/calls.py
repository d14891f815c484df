#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the messages of "epemu -v" and prints how many calls it answered:
"epoll_wait 34, epoll_ctl 12", most frequent first.
"""

import re
import sys

CALL = re.compile(
    r"\b(epoll_\w+|eventfd2?|read|write|ioctl|io_uring_setup|rt_sigreturn)"
    r"\s*[:=]?\s+(\d+)\b")


def main():
    counts = {name: int(number) for name, number in CALL.findall(
        sys.stdin.read())}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    print(", ".join(f"{name} {number}" for name, number in ordered))


if __name__ == "__main__":
    main()
