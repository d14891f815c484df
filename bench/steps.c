/* SPDX-License-Identifier: MIT */
/*
 * One step at a time. What the supervisor does for a call depends on what
 * else has come by then: a wake-up and a call that it finds together take one
 * turn of its loop, one after the other they take two. If the program goes
 * on only when the supervisor sleeps, each step is the same every time, on a
 * busy machine, too. Marks tell whoever counts where the steps begin and end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

#define PAUSE_US 20

bool in_steps;

/*
 * Whoever is to do something is on a run queue when the call that woke it
 * returns, so one look that finds it asleep is enough.
 */
static bool sleeps(pid_t tid)
{
	char path[64];
	char text[512];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0, path);
	n = read(fd, text, sizeof(text) - 1);
	need(n > 0, path);
	close(fd);
	text[n] = '\0';
	state = strrchr(text, ')'); /* the end of its name */
	return state && strncmp(state, ") S", 3) == 0;
}

void mark(void)
{
	settled();
	need(epoll_create1((int)STEPS_MARK) < 0, "a mark");
}

void await_sleep(pid_t tid)
{
	while (in_steps && !sleeps(tid))
		nap_us(PAUSE_US);
}

void settled(void)
{
	await_sleep(getppid());
}
