/* SPDX-License-Identifier: MIT */
/*
 * Everything that the supervisor waits for. Single
 * threaded; a callback never blocks.
 */
#ifndef EMU_LOOP_H
#define EMU_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "deadline.h"

struct emu_loop;
struct emu_edges;

/* Something that becomes ready; embed it. */
struct emu_source {
	/* `events`: EPOLL* bits of the host. May remove any source. */
	void (*ready)(struct emu_source *source, uint32_t events);
	/*
	 * Served after all others, and only once none of them is pending: the
	 * notifier, so that the wake-ups that came before a call are known
	 * when the call is served. There is one; `ready` gets POLL* bits.
	 */
	bool last;
	/* The part of the edges that it is in (edges.h); NULL: it is none. */
	struct emu_edges *edges;
	/* The bits that a poll of its file takes away; 0: it is ordinary. */
	uint32_t forgets;
};

/* Called when a batch is done, before the loop may sleep. */
struct emu_settle {
	void (*settle)(struct emu_settle *settle);
};

/*
 * *steps, which is 0 at first, tells how often the loop went to rest and came
 * back: odd while it rests, which includes what it serves before a call.
 * Another thread may read it, atomically. NULL when the host refuses an epoll
 * instance (errno says why).
 */
struct emu_loop *emu_loop_create(uint64_t *steps);
void emu_loop_destroy(struct emu_loop *loop);

/* Adds `fd` with `events`. Errors: those of epoll_ctl(2), negative. */
int emu_loop_add(struct emu_loop *loop, int fd, uint32_t events,
	struct emu_source *source);

/* Removes `fd` alone: an event of it that was fetched is served still. */
void emu_loop_forget(struct emu_loop *loop, int fd, struct emu_source *source);

/* Changes the events of `fd`; with EPOLLET the fd is looked at anew. */
int emu_loop_modify(struct emu_loop *loop, int fd, uint32_t events,
	struct emu_source *source);

/*
 * Forgets `fd`. Also for a source whose fd was (or is about to be) closed:
 * an event of it that was fetched already is dropped.
 */
void emu_loop_remove(struct emu_loop *loop, int fd, struct emu_source *source);

/*
 * Fetches what is pending now without serving it, and drops the event of
 * `source` if there is one. The others are served in their turn.
 */
void emu_loop_swallow(struct emu_loop *loop, struct emu_source *source);

/*
 * Fetches and serves what is pending now, except the `last` source: for when
 * that has to know the newest state.
 */
void emu_loop_drain(struct emu_loop *loop);

/* What was just done makes an edge: no need to sleep before it is served. */
void emu_loop_expect_edge(struct emu_loop *loop);

/* Have `settle` called after each batch; NULL for none. */
void emu_loop_set_settle(struct emu_loop *loop, struct emu_settle *settle);

/*
 * The loop's deadlines, on CLOCK_MONOTONIC. The loop sleeps no longer than
 * the earliest; whoever set `settle` takes the expired ones off.
 */
struct emu_deadlines *emu_loop_deadlines(struct emu_loop *loop);

/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t emu_loop_now_ns(void);

/* Runs until emu_loop_stop(). Returns 0, or a negative errno. */
int emu_loop_run(struct emu_loop *loop);
void emu_loop_stop(struct emu_loop *loop);

#endif
