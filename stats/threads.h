/* SPDX-License-Identifier: MIT */
/* Do all threads of a process sleep for good? What /proc says. */
#ifndef STATS_THREADS_H
#define STATS_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the supervisor knows of a thread. */
enum stats_sleep {
	STATS_SLEEP_UNKNOWN, /* it is in no call of ours */
	STATS_SLEEP_TIMED, /* it goes on by itself, or others may wake it */
	STATS_SLEEP_FOREVER,
};

struct stats_threads {
	int count;
	/*
	 * Changes as soon as one of them runs, begins or ends: as long as it
	 * stays the same, all of them slept on.
	 */
	uint64_t stamp;
};

/*
 * Looks at each thread of the process. `sleep_of` is asked first; a thread that
 * it does not know has to wait in futex(2), without a timeout, for something
 * that only this process can change. Returns whether all sleep for good.
 */
bool stats_threads_asleep(pid_t process,
	enum stats_sleep (*sleep_of)(void *ctx, pid_t tid), void *ctx,
	struct stats_threads *threads);

/*
 * Does the process catch a signal that others, its children or timers send on
 * purpose? SIGINT counts if `interrupt` is set.
 */
bool stats_threads_catch(pid_t process, bool interrupt);

#endif
