/* SPDX-License-Identifier: MIT */
/* The launcher process while the program runs. */
#ifndef EMU_MIRROR_H
#define EMU_MIRROR_H

#include "emu/outlet.h"
#include "launcher/relay.h"
#include "launcher/tree.h"

struct emu_mirror {
	int control; /* the supervisor's messages */
	struct emu_outlet *messages; /* where ours go */
	int signals; /* a signalfd of all of them */
	char *raw; /* the pieces so far of what is printed as it is */
	size_t raw_size;
	bool takes_usr1; /* SIGUSR1 to this process asks for a snapshot */
	struct emu_tree_others others; /* none of the program's */
	struct emu_relay relay;
};

/*
 * Does for the program what only the process that the shell knows can do:
 * takes signals, stops and continues with it, and ends as it ended. All
 * signals must be blocked.
 */
_Noreturn void emu_mirror_run(struct emu_mirror *mirror);

#endif
