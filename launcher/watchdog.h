/* SPDX-License-Identifier: MIT */
/* Sees to it that a supervisor that stands still does not do so silently. */
#ifndef EMU_WATCHDOG_H
#define EMU_WATCHDOG_H

#include "emu/outlet.h"
#include <stdint.h>

struct emu_watchdog {
	int listener; /* of the filter */
	int control; /* to the launcher process */
	/* Where messages go; NULL: to the launcher process. */
	const struct emu_outlet *messages;
	const uint64_t *steps; /* of the loop, for as long as the thread runs */
};

/*
 * Starts a thread that watches the calling one, which is to be the one that
 * takes the calls. The thread has a descriptor table of its own. Returns 0, or
 * a negative errno: those of pthread_create(3) and unshare(2).
 */
int emu_watchdog_start(const struct emu_watchdog *watchdog);

#endif
