/* SPDX-License-Identifier: MIT */
/* What /proc says of a thread. */
#ifndef DIFF_LOOK_H
#define DIFF_LOOK_H

#include <stdbool.h>
#include <sys/types.h>

struct look {
	char state; /* as in ps; 0 if there is no such thread */
	long call; /* the system call it is in, -1 for none */
	long long switches; /* how often it went to sleep by itself */
};

struct look look_at(pid_t pid, pid_t tid);

/* Whether it sleeps in a call that is not the wait for the next one. */
bool look_sleeps(const struct look *l);

/* Returns when the thread is in the state, or gone. */
void look_await_state(pid_t pid, pid_t tid, char state);

#endif
