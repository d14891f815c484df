/* SPDX-License-Identifier: MIT */
/* The supervisor process. */
#ifndef EMU_SUPERVISE_H
#define EMU_SUPERVISE_H

#include "launcher/canary.h"
#include "launcher/inherited.h"
#include "launcher/launch.h"

/*
 * The supervisor's whole life, in a fresh child of `launcher`: forks the
 * canary and the program's process, tells over `control` what becomes of it,
 * serves its calls and those of its descendants until the last one is gone.
 */
_Noreturn void emu_supervise_run(struct emu_launch *launch,
	const struct emu_inherited *inherited, struct emu_canary *canary,
	int control, pid_t launcher);

#endif
