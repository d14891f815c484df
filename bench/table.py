# SPDX-License-Identifier: MIT
"""The table that people read."""

from columns import EPEMU, FLOOR, NATIVE, STRACE_BPF, TITLES
from rows import RATE


def number(value):
    """Three digits that count."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def cell(spread):
    """A ratio with its spread."""
    return f"{number(spread.median)} [{number(spread.low)}–" \
           f"{number(spread.high)}]"


def cells(result, names):
    """The words of one line."""
    line = [result.row.title]
    if NATIVE in result.values:
        line.append(f"{number(result.spread(NATIVE).median)} "
                    f"{result.row.unit}")
    else:
        line.append("")
    for name in names:
        if name == NATIVE:
            continue
        if name in result.values and NATIVE in result.values:
            line.append(cell(result.ratios(name)))
        elif name in result.values:
            line.append(f"{number(result.spread(name).median)} "
                        f"{result.row.unit}")
        else:
            line.append("-")
    line.append(extra(result, EPEMU, FLOOR))
    line.append(extra(result, STRACE_BPF, EPEMU))
    calls = result.supervisor_calls
    line.append(f"{calls['total']:.1f}" if calls else "-")
    return line


def extra(result, column, reference):
    """The ratio of two columns that are not the native one."""
    if column not in result.values or reference not in result.values:
        return "-"
    if result.row.kind == RATE:
        column, reference = reference, column
    return number(result.ratio(column, reference))


def lay_out(lines, out):
    """Columns as wide as their widest cell."""
    widths = [max(len(line[i]) for line in lines)
              for i in range(len(lines[0]))]
    for line in lines:
        words = [line[0].ljust(widths[0])]
        words += [word.rjust(width)
                  for word, width in zip(line[1:], widths[1:])]
        print("  ".join(words).rstrip(), file=out)


def print_results(results, names, out):
    """All lines, group by group."""
    head = ["", "native"]
    head += [TITLES[name] for name in names if name != NATIVE]
    head += ["epemu/bare", "strace/epemu", "calls/trap"]
    groups = []
    for result in results:
        if result.row.group not in groups:
            groups.append(result.row.group)
    for group in groups:
        members = [result for result in results
                   if result.row.group == group]
        print(f"\n{group}", file=out)
        lay_out([head] + [cells(result, names) for result in members], out)


def print_targets(judged, out):
    """Reached or not, as information."""
    print("\nwhat is to be reached", file=out)
    lines = []
    for title, target, value, good in judged:
        word = "unknown" if good is None else \
            "reached" if good else "NOT reached"
        lines.append([title, target.text,
                      "-" if value is None else number(value), word])
    if lines:
        lay_out(lines, out)
