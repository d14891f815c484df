/* SPDX-License-Identifier: MIT */
/* Who waits, and for what: one look at the living state. */
#ifndef STATS_WAITS_H
#define STATS_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "emu/inspect.h"
#include "stats/array.h"
#include "stats/threads.h"

struct stats_waits;

/* A thread that sleeps in a call. */
struct stats_waiter {
	struct emu_view_waiter view;
	uint64_t epoll; /* the number; 0: it waits on an eventfd */
	bool told; /* the user was told of it already */
};

/*
 * A sleep shorter than `limit_ns` is none. `program` is the program's process
 * before it runs: the pipes and sockets that it has were made by others. NULL:
 * there is no memory, or the process may not be looked at.
 */
struct stats_waits *stats_waits_create(uint64_t limit_ns, pid_t program);
void stats_waits_destroy(struct stats_waits *waits);

/*
 * A look is told in this order: its time; then for each epoll its number, its
 * items and those who wait on it, and with number 0 those who wait on an
 * eventfd. An item of fd -1 is one that was left out.
 */
void stats_waits_begin(struct stats_waits *waits, uint64_t now_ns);
void stats_waits_epoll(struct stats_waits *waits, uint64_t number);
void stats_waits_item(
	struct stats_waits *waits, const struct emu_view_item *item);
void stats_waits_waiter(struct stats_waits *waits,
	const struct emu_view_waiter *waiter, bool told);

/* Is the look whole? It is not when memory was short. */
bool stats_waits_whole(const struct stats_waits *waits);

/* All that wait. */
const struct stats_waiter *stats_waits_all(
	const struct stats_waits *waits, size_t *count);

/* How a thread sleeps; and whether all that wait in a process do so for good.
 */
enum stats_sleep stats_waits_sleep(const struct stats_waits *waits, pid_t tid);
bool stats_waits_forever(const struct stats_waits *waits, pid_t process);

/*
 * Appends each struct stats_source through which the process may be woken.
 * False when there is something of which it cannot be told who may make it
 * ready.
 */
bool stats_waits_sources(
	struct stats_waits *waits, pid_t process, struct stats_array *sources);

#endif
