/* SPDX-License-Identifier: MIT */
/*
 * What a copy of this program does that a case has exec'd, to see what an
 * exec leaves open: "--helper VERB FD" answers by its exit status.
 */
#include "run.h"

/* 0 if the descriptor is closed, 1 if it is open. */
static int is_open(int fd)
{
	return RAW(__NR_fcntl, fd, F_GETFD, 0) >= 0;
}

/* Waits on an epoll that came through exec; the event's data, 99 if none. */
static int wait_on(int fd)
{
	struct ep_event ev;
	long n = sys_epoll_wait(fd, &ev, 1, SOON);

	return n == 1 ? (int)ev.data : 99;
}

static int write_to(int fd)
{
	return ev_put(fd, 1) == 8 ? 0 : 99;
}

int helper_main(int argc, char **argv)
{
	int fd = argc > 1 ? (int)str_number(argv[1], 10) : -1;

	if (argc > 1 && !strcmp(argv[0], "is-open"))
		return is_open(fd);
	if (argc > 1 && !strcmp(argv[0], "wait-on"))
		return wait_on(fd);
	if (argc > 1 && !strcmp(argv[0], "write-to"))
		return write_to(fd);
	return 98;
}
