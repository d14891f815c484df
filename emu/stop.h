/* SPDX-License-Identifier: MIT */
/*
 * Threads in a ptrace stop: how they get there and leave again.
 *
 * Nothing here sleeps. A thread that was told to stop does so when it next
 * gets a processor; whoever wants it then is told by a status that
 * wait4(-1) reports (emu_intercept_wait_status()).
 */
#ifndef EMU_STOP_H
#define EMU_STOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "target.h"

/* ptrace(2): 0 or a negative errno. */
int emu_stop_request(int request, pid_t tid, unsigned long addr, void *data);

/*
 * PTRACE_SEIZE, and 0 for a thread that is seized already. -ESRCH: it is
 * gone, or about to end. -EBUSY: another traces it. -EPERM: it may not be
 * traced.
 *
 * The call takes the lock of its process that execve(2) holds while it waits
 * for that process's threads to be reaped. So it must not be made while an
 * execve() of that process is under way (exec.c).
 */
int emu_stop_seize(struct emu_thread *thread);

/*
 * Looks for a short while whether a traced thread has stopped. The stop is
 * taken, into *status. False: not yet, or the thread has ended.
 */
bool emu_stop_soon(pid_t tid, int *status);

/* PTRACE_EVENT_STOP: by PTRACE_INTERRUPT, or by job control. */
bool emu_stop_is_event(int status);

/* The signal that the stop is about to deliver, 0 if it is none of those. */
int emu_stop_signal(int status);

/* Lets the thread go on untraced, with `sig` to deliver (0: none). */
int emu_stop_let_go(pid_t tid, int sig);

#endif
