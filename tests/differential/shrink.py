# SPDX-License-Identifier: MIT
"""Cuts a program that fails down to a shortest one that still does.

First lines go, in ever smaller runs; then what is left of each line is made
plainer. `failing` is asked about many candidates at once, since starting a
run costs more than a candidate does.
"""

import re

CANDIDATES = 24
PLAINER = [
    (r"\|(CLOSE|O_CLO|EPOLL_CLO|EFD_CLO|SOCK_CLO|TFD_CLO)\w*", ""),
    (r"\|(ET|ONESHOT|EXCLUSIVE|WAKEUP|0x100000)\b", ""),
    (r"\b(IN|OUT|PRI|RDHUP|RDNORM|WRNORM|RDBAND|WRBAND|MSG)\|", ""),
    (r"\|(OUT|PRI|RDHUP|RDNORM|WRNORM|RDBAND|WRBAND|MSG)\b", ""),
    (r"\b(O_NONBLOCK|EFD_NONBLOCK|TFD_NONBLOCK)\b", "0"),
    (r", (64|16|1000|5|4|3|2), ", ", 1, "),
    (r"write8\((\w+), 0x\w+\)", r"write8(\1, 0x1)"),
    (r"write\((\w+), \d+\)", r"write(\1, 1)"),
    (r"read\((\w+), \d+\)", r"read(\1, 8)"),
    (r"^\d+:", "0:"),
]


def first_failing(candidates, failing):
    """The first of the candidates that fails, or None."""
    for start in range(0, len(candidates), CANDIDATES):
        some = candidates[start:start + CANDIDATES]
        for candidate, bad in zip(some, failing(some)):
            if bad:
                return candidate
    return None


def cut(lines, failing):
    """Without all lines that can be left out."""
    size = max(len(lines) // 2, 1)
    while True:
        candidates = [lines[:i] + lines[i + size:]
                      for i in range(0, len(lines), size)]
        candidates = [c for c in candidates if c]
        shorter = first_failing(candidates[::-1], failing)
        if shorter:
            lines = shorter
            size = min(size, max(len(lines) // 2, 1))
        elif size == 1:
            return lines
        else:
            size = max(size // 2, 1)


def plainer(lines):
    """The programs in which one line is plainer."""
    for i, line in enumerate(lines):
        for pattern, text in PLAINER:
            changed = re.sub(pattern, text, line, count=1)
            if changed != line:
                yield lines[:i] + [changed] + lines[i + 1:]


def shrink(lines, failing):
    """A program as short and plain as it gets; as it was if it is unsure."""
    if not failing([lines])[0]:
        return lines
    lines = cut(lines, failing)
    while True:
        simpler = first_failing(list(plainer(lines)), failing)
        if not simpler:
            return cut(lines, failing)
        lines = simpler
