#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy, as .clang-tidy configures it, on emu/, stats/, trace/ and launcher/.

    tidy.py ROOT BUILD_DIRECTORY [CLANG_TIDY]

A file that was clean is not looked at again while neither it, nor a header,
nor the configuration, nor how it is compiled has changed.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

from tap import Report, c_files, skip_all

RULE = "clang-tidy has nothing to say"
FOLDERS = ("emu", "stats", "trace", "launcher")
# What another compiler than clang may have been told.
ARGUMENTS = ["--quiet", "--warnings-as-errors=*",
             "--extra-arg=-Wno-unknown-warning-option",
             "--extra-arg=-Wno-ignored-optimization-argument"]
FINDING = re.compile(r": (?:warning|error): ")


def digest_of(root, source, command, shared):
    """What the verdict on a source depends on."""
    digest = hashlib.sha256(shared)
    digest.update(command.encode())
    digest.update((root / source).read_bytes())
    return digest.hexdigest()


def shared_state(root, tool):
    """What the verdict on any source depends on."""
    said = subprocess.run([tool, "--version"], capture_output=True,
                          check=True).stdout
    state = hashlib.sha256(said)
    for path in [pathlib.Path(".clang-tidy"),
                 *(path for path in c_files(root) if path.suffix == ".h")]:
        state.update((root / path).read_bytes())
    return state.digest()


def commands_of(build, root):
    """How each source of the product is compiled."""
    commands = {}
    text = (build / "compile_commands.json").read_text(encoding="utf-8")
    for entry in json.loads(text):
        path = pathlib.Path(os.path.normpath(
            pathlib.Path(entry["directory"]) / entry["file"]))
        if not path.is_relative_to(root):
            continue
        source = path.relative_to(root)
        if source.parts[0] in FOLDERS and source.suffix == ".c":
            commands[source] = entry["command"]
    return commands


def tidy(tool, root, build, source):
    """The findings in one source, as lines."""
    run = subprocess.run([tool, "-p", str(build), *ARGUMENTS,
                          str(root / source)], capture_output=True, text=True,
                         check=False)
    lines = [re.sub(r"^.*?((?:emu|stats|trace|launcher)/)", r"\1", line)
             for line in run.stdout.splitlines() if FINDING.search(line)]
    if run.returncode != 0 and not lines:
        lines = [f"{source}: clang-tidy failed: {run.stderr.strip()[-300:]}"]
    return lines


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    build = pathlib.Path(sys.argv[2]).resolve()
    tool = sys.argv[3] if len(sys.argv) > 3 else ""
    if not tool:
        skip_all("clang-tidy is not installed")
    commands = commands_of(build, root)
    report = Report([RULE])
    if not commands:
        report.complain(RULE, "no source found to look at")
    shared = shared_state(root, tool)
    memory = build / "clang-tidy-clean.json"
    known = set(json.loads(memory.read_text())) if memory.exists() else set()
    digests = {source: digest_of(root, source, command, shared)
               for source, command in commands.items()}
    clean = {digest for digest in digests.values() if digest in known}
    todo = [source for source in commands if digests[source] not in known]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, lines in zip(todo, pool.map(
                lambda source: tidy(tool, root, build, source), todo)):
            for line in lines:
                report.complain(RULE, line)
            if not lines:
                clean.add(digests[source])
    memory.write_text(json.dumps(sorted(clean)))
    report.finish()


if __name__ == "__main__":
    main()
