/* SPDX-License-Identifier: MIT */
/* The launcher process while the program runs. */
#ifndef EMU_MIRROR_H
#define EMU_MIRROR_H

#include "launcher/relay.h"

struct emu_mirror {
	int control; /* the supervisor's messages */
	int message_fd; /* where ours go; standard error or a file */
	bool takes_usr1; /* SIGUSR1 to this process asks for a snapshot */
	struct emu_relay relay;
};

/*
 * Does for the program what only the process that the shell knows can do:
 * takes signals, stops and continues with it, and ends as it ended. All
 * signals must be blocked.
 */
_Noreturn void emu_mirror_run(struct emu_mirror *mirror);

#endif
