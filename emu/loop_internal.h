/* SPDX-License-Identifier: MIT */
/* What loop.c and edges.c share. */
#ifndef EMU_LOOP_INTERNAL_H
#define EMU_LOOP_INTERNAL_H

#include <time.h>

#include <sys/epoll.h>

#include "edges.h"
#include "loop.h"

#define BATCH 256
/*
 * Room at first for what was fetched; it grows with what emu_loop_swallow()
 * fetches while a batch is being served.
 */
#define PENDING (4 * BATCH)

/* So many parts poll(2) looks at. */
#define ATTENDED 16

/*
 * Edges that need not end the sleep do so all the same while they are rare:
 * having poll(2) look at them is cheaper than a call of its own.
 */
#define QUIET 2

struct emu_loop {
	int epfd; /* the main epoll */
	int whole; /* that of the `forgets` sources and all else, or -1 */
	struct emu_source main; /* what `whole` knows the main epoll by */
	int last_fd; /* of the `last` source, or -1 */
	struct emu_source *last;
	bool stop;
	struct emu_settle *settle;
	struct emu_deadlines deadlines;

	struct emu_list edges; /* all parts */
	struct emu_edges *attended[ATTENDED]; /* unless there is `whole` */
	int attended_count;
	bool crowded; /* some that must end the sleep cannot */
	struct emu_list changed; /* parts of which `whole` has to be told */
	struct emu_list due; /* parts that the sleep has found to have some */
	bool all_needed;
	bool edges_due; /* there is one now */
	uint64_t turn; /* counts the sleeps */
	uint64_t *steps; /* into a sleep and out of it; see emu_loop_create() */
	uint64_t whole_known; /* as in struct emu_edges, of `forgets` sources */

	int head; /* next event to serve */
	int tail; /* one past the last event fetched */
	bool full; /* the last fetch may have left events behind */
	int pending_room;
	struct epoll_event *pending;
};

/* clock.c: how long it is until then; 0 if that has passed. */
struct timespec emu_loop_until(uint64_t at_ns);

/* loop.c: fetches and serves all that `epfd` has now, and returns how much. */
int emu_loop_drain_epoll(struct emu_loop *loop, int epfd);

/*
 * The same for the `forgets` sources in `whole`; what is level-triggered there
 * stays, however much of it there is.
 */
void emu_loop_drain_whole(struct emu_loop *loop);

/* Drops events of the source that were fetched. */
void emu_loop_blank(struct emu_loop *loop, struct emu_source *source);

/* edges.c: does somebody wait for the part's edges? */
bool emu_edges_needed(const struct emu_edges *edges);

/* How many parts there are. */
size_t emu_edges_count(const struct emu_loop *loop);

/* The sleep ended, for nothing but edges that nobody waits for. */
void emu_edges_in_vain(struct emu_edges *edges);

/* It has some: they are served when the main epoll has been. */
void emu_edges_note_due(struct emu_edges *edges);

/* `whole` was just opened: the part is put into it. */
int emu_edges_join_whole(struct emu_edges *edges);

/* Before a sleep in `whole`: it learns which parts end it. */
void emu_edges_tell_whole(struct emu_loop *loop);

#endif
