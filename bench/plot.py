# SPDX-License-Identifier: MIT
"""The plot: how many times slower than native each row is, in each column. A
point is the median, a line goes from the lowest to the highest."""

import math
from xml.sax.saxutils import escape

from columns import NATIVE, TITLES
from rows import RATE

COLOURS = {
    "floor": "#888888",
    "epemu": "#0b6e4f",
    "epemu-trace": "#6fb98f",
    "strace-bpf": "#d1822b",
    "strace": "#b3261e",
}
LEFT, WIDTH, RIGHT = 300, 560, 30
TOP, LINE, GAP, FOOT = 84, 18, 14, 46
FONT = "font-family='sans-serif' font-size='12'"


def slower(result, column):
    """Median, lowest and highest, as times slower than native."""
    spread = result.ratios(column)
    if result.row.kind == RATE:
        return 1 / spread.median, 1 / spread.high, 1 / spread.low
    return spread.median, spread.low, spread.high


class Scale:
    """A logarithmic scale over all that is shown."""

    def __init__(self, results, names):
        values = [value for result in results for name in names
                  if name in result.values
                  for value in slower(result, name)]
        self.low = math.floor(math.log10(min(values + [0.9])) * 2) / 2
        self.high = math.ceil(math.log10(max(values + [2])) * 2) / 2

    def x(self, value):
        """The place of a value."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + part * WIDTH

    def ticks(self):
        """1, 3, 10, 30 and so on."""
        for power in range(math.floor(self.low), math.ceil(self.high) + 1):
            for digit in (1, 3):
                value = digit * 10.0 ** power
                if self.low <= math.log10(value) <= self.high:
                    yield value


def text(x, y, words, anchor="start", more=""):
    """One line of words."""
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}' {FONT} " \
           f"{more}>{escape(words)}</text>"


def legend(names):
    """Which colour is which."""
    parts, x = [], LEFT
    for name in names:
        parts.append(f"<circle cx='{x}' cy='52' r='4' "
                     f"fill='{COLOURS[name]}'/>")
        parts.append(text(x + 9, 56, TITLES[name]))
        x += 26 + 7 * len(TITLES[name])
    return parts


def points(result, names, scale, y):
    """The columns of one row, a little apart."""
    parts = []
    for place, name in enumerate(names):
        if name not in result.values:
            continue
        median, low, high = slower(result, name)
        at = y + (place - (len(names) - 1) / 2) * 2.5
        colour = COLOURS[name]
        parts.append(f"<line x1='{scale.x(low):.1f}' y1='{at:.1f}' "
                     f"x2='{scale.x(high):.1f}' y2='{at:.1f}' "
                     f"stroke='{colour}' stroke-opacity='0.5'/>")
        parts.append(f"<circle cx='{scale.x(median):.1f}' cy='{at:.1f}' "
                     f"r='3.5' fill='{colour}'/>")
    return parts


def axis(scale, bottom):
    """Vertical lines with their values; that of native is thicker."""
    parts = []
    for value in scale.ticks():
        x = scale.x(value)
        strong = "stroke-width='2' stroke='#444'" if value == 1 else \
            "stroke='#ddd'"
        parts.append(f"<line x1='{x:.1f}' y1='{TOP - 12}' x2='{x:.1f}' "
                     f"y2='{bottom}' {strong}/>")
        parts.append(text(x, bottom + 16, f"{value:g}×", "middle"))
    parts.append(text(LEFT + WIDTH / 2, bottom + 34,
                      "times slower than native (left is better)", "middle"))
    return parts


def draw(results, names, where):
    """The whole picture, or None if there is nothing to compare."""
    names = [name for name in names if name != NATIVE]
    results = [result for result in results if NATIVE in result.values
               and any(name in result.values for name in names)]
    if not results:
        return None
    groups = len({result.row.group for result in results})
    bottom = TOP + LINE * (len(results) + groups) + GAP * (groups - 1)
    scale = Scale(results, names)
    parts = [text(14, 24, "epemu beside its alternatives",
                  more="font-weight='bold'"),
             text(LEFT, 24, f"{where['cpu']}, {where['cpus']} processors, "
                            f"Linux {where['kernel']}, {where['date']}"),
             *legend(names), *axis(scale, bottom)]
    y, group = TOP - GAP, None
    for result in results:
        if result.row.group != group:
            group = result.row.group
            y += GAP + LINE / 2
            parts.append(text(14, y, group, more="font-weight='bold'"))
            y += LINE / 2
        parts.append(text(LEFT - 12, y + LINE / 2 + 4, result.row.title,
                          "end"))
        parts += points(result, names, scale, y + LINE / 2)
        y += LINE
    width, height = LEFT + WIDTH + RIGHT, bottom + FOOT
    return "\n".join([
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' "
        f"height='{height:.0f}' viewBox='0 0 {width} {height:.0f}'>",
        "<rect width='100%' height='100%' fill='white'/>",
        *parts, "</svg>", ""])


def write(path, results, names, where):
    """Leaves the picture in a file; false if there is none to draw."""
    picture = draw(results, names, where)
    if picture is None:
        return False
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)
    return True
