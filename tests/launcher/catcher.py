# SPDX-License-Identifier: MIT
"""A program that says which signals it gets, one line for each.

All that can be caught are blocked and taken one by one, so nothing merges by
being handled late. SIGRTMAX ends it. With "group" as argument it first makes
a process group of its own.
"""

import os
import signal
import sys

if "group" in sys.argv:
    os.setpgid(0, 0)
every = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
signal.pthread_sigmask(signal.SIG_SETMASK, every)
print("ready", flush=True)
while True:
    info = signal.sigwaitinfo(every)
    SI_QUEUE = -1
    queued = info.si_code == SI_QUEUE
    print(int(info.si_signo), "queued" if queued else "sent", flush=True)
    if info.si_signo == signal.SIGRTMAX:
        break
