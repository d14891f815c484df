/* SPDX-License-Identifier: MIT */
/*
 * To serve a call on what exists, the supervisor opens descriptors that it
 * closes again at once. However full its table is, that must go on working:
 * nothing that is kept may take the last numbers.
 *
 * The kernel gives the lowest number that is free. One that is among the last
 * tells that all before are taken.
 */
#include "room.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

/* So many are open at once at most, for a call and those who look on. */
#define MOST 16
#define LEAST 6

/* The first number that is not for keeping. */
static int end_of_room(void)
{
	static int end;
	struct rlimit limit;
	rlim_t spare;

	if (end)
		return end;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return end = 1 << 20;
	spare = limit.rlim_cur / 8;
	if (spare < LEAST)
		spare = LEAST;
	if (spare > MOST)
		spare = MOST;
	end = limit.rlim_cur > spare ? (int)(limit.rlim_cur - spare) : 1;
	return end;
}

int emu_room_keep(int fd)
{
	if (fd < 0)
		return -errno;
	if (fd < end_of_room())
		return fd;
	close(fd);
	return -EMFILE;
}
