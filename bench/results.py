# SPDX-License-Identifier: MIT
"""Values, medians and ratios."""

import statistics

from columns import NATIVE


class Spread:
    """The median of some values, the lowest and the highest."""

    def __init__(self, values):
        self.values = values
        self.median = statistics.median(values)
        self.low = min(values)
        self.high = max(values)

    def as_json(self):
        """For the JSON file."""
        return {"median": self.median, "low": self.low, "high": self.high}


class Result:
    """What was measured for a row. Values of one repetition belong together:
    a ratio is taken within each, and the median of those is what counts."""

    def __init__(self, row):
        self.row = row
        self.values = {}      # column: a value for each repetition
        self.problems = {}    # column: why there is none
        self.supervisor_calls = None

    def add(self, column, value):
        """One more value."""
        self.values.setdefault(column, []).append(value)

    def drop(self, column, why):
        """The column cannot be had."""
        self.values.pop(column, None)
        self.problems[column] = why

    def spread(self, column):
        """Of the values of a column."""
        return Spread(self.values[column])

    def ratios(self, column, reference=NATIVE):
        """Of a column against another, repetition by repetition."""
        return Spread([one / other for one, other in
                       zip(self.values[column], self.values[reference])])

    def ratio(self, column, reference=NATIVE):
        """The median of those."""
        return self.ratios(column, reference).median

    def share(self, one, other):
        """What one pair of columns differs by, as a part of what the other
        does: the median of the repetitions."""
        (more, less), (most, least) = (
            [self.values[column] for column in pair] for pair in (one, other))
        return statistics.median(
            (a - b) / (c - d) for a, b, c, d in zip(more, less, most, least))

    def as_json(self, targets):
        """For the JSON file."""
        return {
            "name": self.row.name,
            "title": self.row.title,
            "group": self.row.group,
            "kind": self.row.kind,
            "unit": self.row.unit,
            "columns": {
                column: {
                    "values": values,
                    "spread": self.spread(column).as_json(),
                    "ratio": self.ratios(column).as_json()
                    if NATIVE in self.values else None,
                } for column, values in self.values.items()},
            "problems": self.problems,
            "supervisor_calls": self.supervisor_calls,
            "targets": targets,
            "details": self.row.details(),
        }
