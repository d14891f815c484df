/* SPDX-License-Identifier: MIT */
/*
 * What the program inherits from whoever started epemu.
 *
 * The program runs in a child of epemu, yet it has to find what it would have
 * found if it had been started itself. Most passes through fork and exec
 * untouched, ignored signals for one. The rest is here: what epemu changes for
 * its own work (the signal mask, SIGCHLD ignored, the limit of open files,
 * being a subreaper), and the interval timers, which exec keeps but fork
 * drops: `alarm 5; exec program` is a common way to set a time limit.
 */
#define _GNU_SOURCE
#include "launcher/inherited.h"

#include <stddef.h>
#include <sys/prctl.h>

void emu_inherited_save(struct emu_inherited *inherited)
{
	static const struct itimerval stopped;
	struct sigaction waitable = {.sa_handler = SIG_DFL};
	struct rlimit most;
	sigset_t all;
	int which;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &inherited->mask);
	sigaction(SIGCHLD, &waitable, &inherited->on_child);
	getrlimit(RLIMIT_NOFILE, &inherited->files);
	most = inherited->files;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	for (which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		setitimer(which, &stopped, &inherited->timers[which]);
	inherited->subreaper = 0;
	prctl(PR_GET_CHILD_SUBREAPER, &inherited->subreaper);
}

void emu_inherited_restore(const struct emu_inherited *inherited)
{
	int which;

	if (inherited->subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	setrlimit(RLIMIT_NOFILE, &inherited->files);
	sigaction(SIGCHLD, &inherited->on_child, NULL);
	for (which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		setitimer(which, &inherited->timers[which], NULL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}
