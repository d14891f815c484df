/* SPDX-License-Identifier: MIT */
/*
 * The timer sends a periodic SIGALRM, whose handler does nothing. It runs while
 * eventfds are written and is stopped by the supervisor's housekeeping. Only
 * around the write itself is the signal let in.
 */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static bool armed;
static sigset_t alarm_only;

static void ring(int sig)
{
	(void)sig;
}

int emu_guard_init(void)
{
	struct sigaction action = {.sa_handler = ring}; /* no SA_RESTART */

	sigemptyset(&action.sa_mask);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	if (sigprocmask(SIG_BLOCK, &alarm_only, NULL) < 0 ||
		sigaction(SIGALRM, &action, NULL) < 0)
		return -errno;
	return 0;
}

static void arm(void)
{
	static const struct itimerval period = {{0, 250000}, {0, 250000}};

	if (!armed)
		armed = setitimer(ITIMER_REAL, &period, NULL) == 0;
}

ssize_t emu_guard_write(int fd, const void *bytes, size_t size)
{
	ssize_t n;

	arm();
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	n = write(fd, bytes, size);
	if (n < 0)
		n = -errno;
	sigprocmask(SIG_BLOCK, &alarm_only, NULL);
	return n;
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
