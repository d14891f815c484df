/* SPDX-License-Identifier: MIT */
/*
 * A periodic SIGALRM with a handler that does nothing. It stays armed while
 * eventfds are written (one timer call for a whole burst, not two a write)
 * and is taken down by the supervisor's housekeeping.
 */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

static bool armed;

static void ring(int sig)
{
	(void)sig;
}

int emu_guard_init(void)
{
	struct sigaction action = {.sa_handler = ring};
	sigset_t set;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGALRM, &action, NULL) < 0)
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		return -errno;
	return 0;
}

void emu_guard_arm(void)
{
	static const struct itimerval period = {{0, 250000}, {0, 250000}};

	if (armed)
		return;
	armed = setitimer(ITIMER_REAL, &period, NULL) == 0;
}

bool emu_guard_is_armed(void)
{
	return armed;
}

void emu_guard_disarm(void)
{
	static const struct itimerval never = {{0, 0}, {0, 0}};

	if (!armed)
		return;
	setitimer(ITIMER_REAL, &never, NULL);
	armed = false;
}
