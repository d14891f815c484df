/* SPDX-License-Identifier: MIT */
/*
 * eventfds: a counter, readers and writers that block on it, and the edges
 * that every successful read and write makes. The rules are those of
 * fs/eventfd.c (read in Linux 6.18) and eventfd(2).
 *
 * The counter itself can live outside: epemu keeps it where reads and writes
 * that go round the seccomp filter find it as well. A kernel uses the counter
 * in memory (`ops` NULL).
 */
#ifndef EMU_EVENTFD_EMUL_H
#define EMU_EVENTFD_EMUL_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "file.h"

/* Where the counter lives, if not in memory. */
struct emu_counter_ops {
	/* Adds, or returns -EAGAIN if it would pass UINT64_MAX - 1. */
	int (*add)(void *ctx, uint64_t value);
	/*
	 * Takes 1 (semaphore) or everything; -EAGAIN when the counter is 0.
	 */
	int (*take)(void *ctx, bool semaphore, uint64_t *value);
	/* The poll bits of the counter: EMU_EPOLLIN, EMU_EPOLLOUT, ERR. */
	uint32_t (*poll)(void *ctx);
};

struct emu_eventfd;

/*
 * A new eventfd (do_eventfd()). With `ops` NULL the counter is kept in memory
 * and starts at `initval`; otherwise it is what `ops` say. Returns NULL when
 * there is no memory.
 */
struct emu_eventfd *emu_eventfd_create(const struct emu_alloc *alloc,
	uint32_t initval, bool semaphore, const struct emu_counter_ops *ops,
	void *ctx);

/* The last reference is gone: leaves every epoll, then frees. NULL is fine. */
void emu_eventfd_destroy(struct emu_eventfd *eventfd);

/* The eventfd as a file that epolls watch and blocked callers wait on. */
struct emu_file *emu_eventfd_file(struct emu_eventfd *eventfd);

bool emu_eventfd_is_semaphore(const struct emu_eventfd *eventfd);

/*
 * eventfd_read(): takes the count (or 1 in semaphore mode) and wakes with
 * EMU_EPOLLOUT. Errors: -EAGAIN when the count is 0 (a blocking reader then
 * waits on the file's queue with emu_waitq_add_tail() and tries again when
 * woken with EMU_EPOLLIN).
 */
int emu_eventfd_read(struct emu_eventfd *eventfd, uint64_t *value);

/*
 * eventfd_write(): adds and wakes with EMU_EPOLLIN, also when the count was
 * above 0 already and also for a value of 0. Errors: -EINVAL for UINT64_MAX;
 * -EAGAIN when it does not fit (a blocking writer waits for EMU_EPOLLOUT).
 */
int emu_eventfd_write(struct emu_eventfd *eventfd, uint64_t value);

/*
 * Gives back what a read took whose caller did not live to see it. It wakes
 * with EMU_EPOLLIN, since the value can be read again.
 */
void emu_eventfd_unread(struct emu_eventfd *eventfd, uint64_t value);

/*
 * Takes back the `value` that a write added whose caller did not live to see
 * it, and wakes with EMU_EPOLLOUT. Returns false, and leaves the count as it
 * is, where that cannot be done: a part has been read already, or it was more
 * than 64 for a semaphore, which gives one at a time.
 */
bool emu_eventfd_unwrite(struct emu_eventfd *eventfd, uint64_t value);

#endif
