# SPDX-License-Identifier: MIT
"""What a row of the table is, and what it may have to reach."""

from columns import TITLES

TIME = "time"      # less is better
RATE = "rate"      # more is better


class Target:
    """What a row is to reach: at most or at least `bound`."""

    def __init__(self, text, value, bound, at_most):
        self.text = text
        self.value = value    # from the results by name, to a number or None
        self.bound = bound
        self.at_most = at_most

    def judge(self, results):
        """The value and whether it is reached; None where it is unknown."""
        try:
            value = self.value(results)
        except KeyError:
            return None, None
        good = value <= self.bound if self.at_most else value >= self.bound
        return value, good


def against(row, column, reference, text, bound, at_most=True):
    """A target for the ratio of two columns of a row."""
    return Target(f"{text} {'≤' if at_most else '≥'} {bound}",
                  lambda results: results[row].ratio(column, reference),
                  bound, at_most)


class Row:
    """One line: how it is measured in each column."""

    group = ""
    kind = TIME
    unit = "ns"
    repetitions = {"full": 5, "quick": 3}
    columns = tuple(TITLES)

    def __init__(self, name, title):
        self.name = name
        self.title = title
        self.targets = []

    def measure(self, bench, column):
        """One value in the row's unit."""
        raise NotImplementedError

    def details(self):
        """What else is known, for the JSON."""
        return []

    def supervisor_calls(self, _bench):
        """System calls of the supervisor for a trap, or None."""
        return None
