/* SPDX-License-Identifier: MIT */
/*
 * Timers. One that is to expire has done so when the operation ends, and one
 * that is not lies a long time ahead, so no result depends on the clock.
 */
#define _GNU_SOURCE
#include "ops.h"
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>

void op_timerfd_create(struct call *c)
{
	long fd = outcome(timerfd_create((int)c->arg[0], (int)c->arg[1]));

	call_set_slot(c, 0, fd);
	text_add_result(c->out, fd);
}

/* Who sleeps in a read may have taken the expiration before the poll looks. */
enum { TAKEN_MS = 200 };

/* Expires at once, and then every so many seconds if not 0. */
void op_timerfd_expire(struct call *c)
{
	struct itimerspec when = {{c->arg[1], 0}, {0, 1}};
	struct pollfd pfd = {(int)c->arg[0], POLLIN, 0};
	long r = outcome(timerfd_settime((int)c->arg[0], 0, &when, NULL));

	if (r == 0)
		poll(&pfd, 1, TAKEN_MS);
	text_add_result(c->out, r);
}

/* Ahead by so many seconds; 0 disarms. */
void op_timerfd_set(struct call *c)
{
	struct itimerspec when = {{0, 0}, {c->arg[1], 0}};

	text_add_result(c->out,
		outcome(timerfd_settime((int)c->arg[0], 0, &when, NULL)));
}
