/* SPDX-License-Identifier: MIT */
/* Was a signal sent to the whole process group, or to us alone? */
#ifndef EMU_CANARY_H
#define EMU_CANARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { EMU_CANARY_SIGNALS = 65 };

struct emu_canary {
	pid_t pid; /* 0 when there is none */
	int fd;
	bool woken; /* by us: it has a SIGCONT that does not count */
	/* Signals that the canary got and that were not asked for yet. */
	uint32_t taken[EMU_CANARY_SIGNALS];
};

/*
 * Starts the canary: all signals must be blocked and nothing of ours be open
 * yet that it must not hold. Without memory or processes there is none.
 */
void emu_canary_start(struct emu_canary *canary);
void emu_canary_stop(struct emu_canary *canary);

/* Whether there is (still) one to ask. */
bool emu_canary_alive(const struct emu_canary *canary);

/*
 * Whether it is stopped. It is so from a SIGSTOP of the group until a SIGCONT
 * of the group or the next refresh.
 */
bool emu_canary_stands(const struct emu_canary *canary);

/*
 * Fetches what the canary got; call it after taking signals of one's own.
 * SIGCONT stays where it is unless `with_sigcont`: a stop of the group takes
 * back what is pending, from the canary as from its launcher.
 */
void emu_canary_refresh(struct emu_canary *canary, bool with_sigcont);

/* Whether the canary got `signal` too, since the last time it said yes. */
bool emu_canary_took(struct emu_canary *canary, int signal);

/* The caller's own copy of `signal` is lost: forget the canary's as well. */
void emu_canary_forget(struct emu_canary *canary, int signal);

#endif
