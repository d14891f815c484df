# SPDX-License-Identifier: MIT
"""Without kcmp nobody knows who else has an epoll or memory, so --warn-stall
never says that nothing can wake a process. The rest of it is as before."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "stats"))

# The path had to be there before.
from common import Case, main, wait_until  # noqa: E402

# One child hangs. At each line that comes another one leaves a pipe unread,
# which takes no kcmp to be seen.
SCRIPT = """
import os, select, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
def child(unread):
    pid = os.fork()
    if pid:
        return pid
    epoll = select.epoll()
    pipe, other = os.pipe()
    epoll.register(pipe, select.EPOLLIN | select.EPOLLET)
    if unread:
        os.write(other, b"ab")
        epoll.poll()
        os.read(pipe, 1)
    epoll.poll()
print("ready", flush=True)
children = [child(False)]
print(children[0], flush=True)
for line in sys.stdin:
    children.append(child(True))
for pid in children:
    os.kill(pid, 9)
"""


class Stall(Case):
    def hang_is_told(self, without):
        self.env["EPEMU_OLDER"] = without
        process = self.start_script(SCRIPT, "--warn-stall=0.4")
        hang = f"nothing can wake process {process.stdout.readline().strip()} "
        # The one that hangs is the oldest: a look that tells of the third of
        # these comes long after those that would have told of it.
        for count in range(1, 4):
            process.stdin.write("\n")
            process.stdin.flush()
            wait_until(lambda: self.messages().count("not read to its end")
                       == count, f"{count} pipes")
        if not without:
            wait_until(lambda: hang in self.messages(), "the hang")
        self.end(process)
        return "nothing can wake" in self.messages()

    def test_with_kcmp(self):
        self.assertTrue(self.hang_is_told(""))

    def test_without_kcmp(self):
        self.assertFalse(self.hang_is_told("kcmp"))


main()
