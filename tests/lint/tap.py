# SPDX-License-Identifier: MIT
"""The results of the lint tests in TAP, and the files they look at."""

import os
import pathlib
import subprocess
import sys

SKIPPED = 77


class Report:
    """Collects complaints per rule; prints one case for each rule."""

    def __init__(self, rules):
        self.complaints = {rule: [] for rule in rules}

    def complain(self, rule, text):
        """One more reason why `rule` is broken."""
        self.complaints[rule].append(text)

    def finish(self):
        """Prints the cases; ends the program."""
        print(f"1..{len(self.complaints)}")
        bad = 0
        for number, (rule, texts) in enumerate(self.complaints.items(), 1):
            print(f"{'not ok' if texts else 'ok'} {number} - {rule}")
            for text in texts:
                print(f"# {text}")
            bad |= bool(texts)
        sys.exit(1 if bad else 0)


def skip_all(reason):
    """Ends the program: nothing can be checked here."""
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def tree_files(root):
    """The files of the project below `root`, as paths relative to it.

    Those that git knows or would add; all but build directories where the
    tree is no git repository.
    """
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False) if (root / ".git").exists() else None
    if listed and listed.returncode == 0:
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0")
                 if name]
        return sorted(pathlib.Path(name) for name in names
                      if (root / name).is_file())
    return sorted(
        path.relative_to(root) for path in root.rglob("*")
        if path.is_file() and
        not any(part.startswith((".", "build")) or part == "target"
                for part in path.relative_to(root).parts))


def c_files(root):
    """The C files among tree_files()."""
    return [path for path in tree_files(root) if path.suffix in (".c", ".h")]
