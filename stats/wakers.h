/* SPDX-License-Identifier: MIT */
/* Who else could wake a process: what /proc says. */
#ifndef STATS_WAKERS_H
#define STATS_WAKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Calls `sleeps` for each thread of the process. Returns how many there are,
 * or 0 as soon as it returned false for one, or when they cannot be seen.
 */
int stats_wakers_each_thread(
	pid_t process, bool (*sleeps)(void *ctx, pid_t tid), void *ctx);

/* Does the thread wait in futex(2) without a timeout? */
bool stats_wakers_in_futex(pid_t tid);

/* Does the process catch a signal that others or timers send on purpose? */
bool stats_wakers_has_handler(pid_t process);

/* The kernel's number for the eventfd at `fd`. Errors: -ENOENT. */
int stats_wakers_eventfd_id(pid_t process, int fd, uint64_t *id);

/* Has any process but this one and `process` one of these eventfds? */
bool stats_wakers_shared(pid_t process, const uint64_t *ids, size_t count);

#endif
