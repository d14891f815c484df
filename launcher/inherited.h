/* SPDX-License-Identifier: MIT */
/*
 * What a process keeps over exec but epemu has to change for itself, or loses
 * by forking: put back for the program before it is run.
 */
#ifndef EMU_INHERITED_H
#define EMU_INHERITED_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

struct emu_inherited {
	sigset_t mask;
	struct sigaction on_child;
	struct rlimit files;
	struct itimerval timers[3]; /* ITIMER_REAL, _VIRTUAL, _PROF */
	int subreaper;
};

/*
 * Keeps the above, then blocks all signals, makes children waitable, raises
 * the limit of open files to the hard one and stops the timers.
 */
void emu_inherited_save(struct emu_inherited *inherited);

/* In the program's process, last before exec: signals may arrive after it. */
void emu_inherited_restore(const struct emu_inherited *inherited);

#endif
