/* SPDX-License-Identifier: MIT */
/* Passes signals on to the program. */
#ifndef EMU_RELAY_H
#define EMU_RELAY_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "launcher/canary.h"

struct emu_relay {
	pid_t supervisor;
	pid_t program;
	int program_pidfd; /* -1 until the program's process is there */
	struct emu_canary *canary;
	/* Is told of a SIGUSR1, which is not passed on then; or NULL. */
	void (*snapshot)(struct emu_relay *relay);
};

/*
 * Takes all pending signals and passes on those that were meant for the
 * program and that it has not got. Reaps adopted children, but not the
 * supervisor.
 */
void emu_relay_take(struct emu_relay *relay);

/*
 * To be called before and after this process stops itself: a stop takes back
 * a SIGCONT that is pending, and a SIGCONT the stop signals, so what the
 * canary has of them has no counterpart.
 */
void emu_relay_before_stop(struct emu_relay *relay);
void emu_relay_after_stop(struct emu_relay *relay);

/*
 * In the handler of a signal that is not blocked: has another process's
 * signal taken later by emu_relay_take().
 */
bool emu_relay_postpone(const siginfo_t *info);

#endif
