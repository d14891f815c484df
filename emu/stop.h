/* SPDX-License-Identifier: MIT */
/* Threads in a ptrace stop: how they get there and leave again. */
#ifndef EMU_STOP_H
#define EMU_STOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "target.h"

/* ptrace(2): 0 or a negative errno. */
int emu_stop_request(int request, pid_t tid, unsigned long addr, void *data);

/*
 * PTRACE_SEIZE. A thread that we seized and could not let go, because it did
 * not stop at once, counts as seized now. 0 or a negative errno.
 */
int emu_stop_seize(const struct emu_thread *thread);

/*
 * Waits for the next stop of a traced thread; false when it ended instead, or
 * is traced no longer (another thread's exec took its id). Only a stop is
 * taken: the end of the program is for the launcher to see. A thread that
 * went to sleep in another call is interrupted there.
 */
bool emu_stop_wait(pid_t tid, int *status);

/*
 * The same for a thread that may be anywhere, and may sleep there for as long
 * as it likes: false when it does.
 */
bool emu_stop_wait_running(struct emu_thread *thread, int *status);

/* PTRACE_EVENT_STOP: by PTRACE_INTERRUPT, or by job control. */
bool emu_stop_is_event(int status);

/* The signal that the stop is about to deliver, 0 if it is none of those. */
int emu_stop_signal(int status);

/* Lets the thread go on untraced, with `sig` to deliver (0: none). */
int emu_stop_let_go(pid_t tid, int sig);

#endif
