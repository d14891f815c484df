/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread sleeps in a call, see look.h. Two equal looks say that it
 * has not run in between: the count of its sleeps would have grown.
 */
#define _GNU_SOURCE
#include "look.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool slurp(pid_t pid, pid_t tid, const char *name, char *to, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, to, size - 1);

	close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

struct look look_at(pid_t pid, pid_t tid)
{
	struct look l = {0, -1, 0};
	char text[4096];

	if (slurp(pid, tid, "syscall", text, sizeof(text)) &&
		strncmp(text, "running", 7) != 0)
		l.call = strtol(text, NULL, 10);
	if (!slurp(pid, tid, "status", text, sizeof(text)))
		return l;
	const char *state = strstr(text, "\nState:\t");
	const char *switches = strstr(text, "\nvoluntary_ctxt_switches:\t");

	if (state && switches) {
		l.state = state[8];
		l.switches = strtoll(switches + 26, NULL, 10);
	}
	return l;
}

bool look_sleeps(const struct look *l)
{
	return l->state == 'S' && l->call >= 0 && l->call != SYS_futex;
}

void look_await_state(pid_t pid, pid_t tid, char state)
{
	const struct timespec pause = {0, 50000};

	for (;;) {
		struct look l = look_at(pid, tid);

		if (l.state == state || l.state == 'Z' || !l.state)
			return;
		nanosleep(&pause, NULL);
	}
}
