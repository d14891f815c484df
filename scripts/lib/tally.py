#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the results of a test run, case by case.

    tally.py [--ci] DIRECTORY

DIRECTORY holds what the steps of the run left there: NAME.json (what meson
keeps of the test programs of the build NAME) and NAME.tap. A test program
that speaks TAP, or prints the summary of Check or of Python's unittest, counts
with each of its cases, another one as a single case. Cases that failed are shown with their output.
The last line is "N passed, N failed, N skipped".

With --ci a skip is a failure, unless the kernel itself lacks what is needed
and the reason, which then holds the word "kernel", says so.
"""

import json
import pathlib
import re
import sys

CASE = re.compile(r"^(not )?ok\b\s*(\d*)\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*(.*))?$")
DIRECTIVE = re.compile(r"(?:^|\s)#\s*(SKIP|TODO)\b:?\s*(.*)$", re.IGNORECASE)
CHECK = re.compile(
    r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_BAD = re.compile(r"^={70}\n(?:FAIL|ERROR): (.*)\n", re.MULTILINE)
UNITTEST_SKIP = re.compile(r"\.\.\. (?:.* )?skipped (['\"])(.*)\1$",
                           re.MULTILINE)
OUTPUT_LINES = 60
LINE_LENGTH = 500


class Case:
    """One case: where it ran, its name, what came of it."""

    def __init__(self, where, name, result, detail=""):
        self.where = where
        self.name = name
        self.result = result  # "passed", "failed" or "skipped"
        self.detail = detail


def end_of(text):
    """The last lines of an output."""
    lines = text.rstrip().splitlines()
    if len(lines) > OUTPUT_LINES:
        lines = [f"({len(lines) - OUTPUT_LINES} lines before these)",
                 *lines[-OUTPUT_LINES:]]
    return "\n".join(lines)


def tap_case(where, match):
    """The case of one "ok" or "not ok" line."""
    name = match[3] or f"case {match[2]}"
    directive = DIRECTIVE.search(name)
    if directive:
        name = name[:directive.start()].rstrip()
    if match[1]:
        return Case(where, name, "failed")
    if directive and directive[1].upper() == "SKIP":
        return Case(where, name, "skipped", directive[2])
    return Case(where, name, "passed")


def tap_cases(where, text):
    """The cases of a TAP stream, or None if it is none."""
    cases, planned, current, about = [], None, None, 0
    for line in text.splitlines():
        plan = PLAN.match(line)
        match = CASE.match(line)
        if plan:
            planned = int(plan[1])
            if planned == 0:
                reason = DIRECTIVE.search("# " + (plan[2] or ""))
                cases.append(Case(where, "all of it", "skipped",
                                  reason[2] if reason else ""))
                return cases
        elif match:
            current = tap_case(where, match)
            cases.append(current)
            about = 0
        elif line.startswith("Bail out!"):
            cases.append(Case(where, "bailed out", "failed", line))
        elif current and current.result == "failed" and line.strip():
            about += 1
            if about <= OUTPUT_LINES:
                current.detail += line[:LINE_LENGTH] + "\n"
    if planned is None:
        return None
    ran = sum(1 for case in cases if case.name != "bailed out")
    if ran != planned:
        cases.append(Case(where, "the plan", "failed",
                          f"{planned} cases planned, {ran} ran"))
    return cases


def check_cases(where, text):
    """The cases of Check programs' summaries, or None if there is none."""
    sums = CHECK.findall(text)
    if not sums:
        return None
    total = sum(int(checks) for checks, _, _ in sums)
    failed = sum(int(bad) + int(worse) for _, bad, worse in sums)
    cases = [Case(where, "", "passed") for _ in range(total - failed)]
    lines = [line for line in text.splitlines()
             if re.search(r":\d+:[FE]:", line)]
    for number in range(failed):
        line = lines[number] if number < len(lines) else "(no message)"
        cases.append(Case(where, "a check", "failed", line))
    return cases


def unittest_cases(where, text):
    """The cases of Python's unittest, or None if it did not run."""
    ran = UNITTEST.findall(text)
    if not ran:
        return None
    parts = UNITTEST_BAD.split(text)
    bad = {}
    for name, detail in zip(parts[1::2], parts[2::2]):
        bad[name] = bad.get(name, "") + detail
    cases = [Case(where, name, "failed", end_of(detail))
             for name, detail in bad.items()]
    cases += [Case(where, "a test", "skipped", reason)
              for _, reason in UNITTEST_SKIP.findall(text)]
    rest = sum(map(int, ran)) - len(cases)
    return cases + [Case(where, "", "passed") for _ in range(rest)]


def program_cases(build, entry):
    """The cases of one test program that meson ran."""
    name = re.sub(r"^epemu[:\s/]+", "", entry["name"])
    where = f"{build}: {name}"
    stdout = entry.get("stdout") or ""
    stderr = entry.get("stderr") or ""
    both = end_of(stdout + ("\n" + stderr if stderr else ""))
    result = entry["result"]
    if result == "SKIP":
        cases = tap_cases(where, stdout)
        if cases and all(case.result == "skipped" for case in cases):
            return cases
        reason = both.splitlines()[-1] if both else "no reason given"
        return [Case(where, "all of it", "skipped", reason)]
    cases = (tap_cases(where, stdout) or check_cases(where, stdout) or
             unittest_cases(where, f"{stdout}\n{stderr}"))
    good = result in ("OK", "EXPECTEDFAIL")
    if not cases:
        return [Case(where, "", "passed" if good else "failed",
                     f"{result}\n{both}")]
    if not good and not any(case.result == "failed" for case in cases):
        code = entry.get("returncode")
        cases.append(Case(where, "the program", "failed",
                          f"{result}, exit status {code}\n{both}"))
    elif not good and stderr and not UNITTEST.search(stderr):
        first = next(case for case in cases if case.result == "failed")
        first.detail += "stderr:\n" + end_of(stderr)
    return cases


def read_results(directory):
    """All cases that the steps left, in the order of the files' times."""
    cases = []
    paths = [path for path in pathlib.Path(directory).iterdir()
             if path.suffix in (".json", ".tap")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".tap":
            found = tap_cases(path.stem, text)
            cases += found or [Case(path.stem, "the step", "failed",
                                    "it left no result")]
            continue
        for line in text.splitlines():
            if line.strip():
                cases += program_cases(path.stem, json.loads(line))
    return cases


def forbid_skips(cases):
    """Turns skips into failures, except those that name the kernel."""
    for case in cases:
        if case.result == "skipped" and \
                not re.search(r"\bkernel\b", case.detail, re.IGNORECASE):
            case.result = "failed"
            case.detail = f"skipped, which does not pass here: {case.detail}"


def show(cases):
    """Prints the sums of each program, the skips and the failures."""
    sums = {}
    for case in cases:
        counts = sums.setdefault(case.where, [0, 0, 0])
        counts[("passed", "failed", "skipped").index(case.result)] += 1
    width = max(map(len, sums), default=0)
    print(f"\n{'':{width}}  passed  failed  skipped")
    for where, (passed, failed, skipped) in sums.items():
        print(f"{where:{width}}  {passed:6}  {failed or '-':>6}  "
              f"{skipped or '-':>7}")
    for word in ("skipped", "failed"):
        chosen = [case for case in cases if case.result == word]
        if not chosen:
            continue
        print(f"\n{word}:")
        for case in chosen:
            print(f"  {case.where}{': ' if case.name else ''}{case.name}")
            for line in case.detail.rstrip().splitlines():
                print(f"    | {line}")


def main():
    arguments = sys.argv[1:]
    strict = "--ci" in arguments
    directory = [word for word in arguments if word != "--ci"][0]
    cases = read_results(directory)
    if strict:
        forbid_skips(cases)
    show(cases)
    count = {word: sum(1 for case in cases if case.result == word)
             for word in ("passed", "failed", "skipped")}
    if not cases:
        print("\nno test ran")
        count["failed"] = 1
    line = f"{count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    print(f"\n{line}")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
