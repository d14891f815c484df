/* SPDX-License-Identifier: MIT */
/*
 * Edges: the wake-ups of watched files, parted by who is interested in them.
 * Each emulated epoll has a part of its own, which keeps their order. Epolls
 * that share a watch have one part together.
 */
#ifndef EMU_EDGES_H
#define EMU_EDGES_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"

/* A part; embed it. All zero: not opened. */
struct emu_edges {
	struct emu_loop *loop; /* NULL: not opened */
	int epfd; /* the sources that name this part are in it */
	uint64_t serial; /* among all parts that were ever opened */
	struct emu_list link; /* on the loop's list of all */
	struct emu_list changed; /* on its list of those to tell `whole` of */
	struct emu_list due; /* on its list of those that have some now */
	struct emu_source source; /* what `whole` knows it by */
	struct emu_source alarm; /* ring it to have the part served at once */
	unsigned int waiting; /* threads that wait for its edges */
	unsigned int quiet; /* so often in a row it had none, at most QUIET */
	uint64_t known; /* all that came before that turn were served */
	bool attended; /* ends the sleep */
	bool heeded; /* the same, as `whole` has it */
};

/*
 * Opens the part if it is not open. Errors: -EMFILE, -ENFILE, -ENOMEM, those
 * of epoll_ctl(2).
 */
int emu_edges_open(struct emu_edges *edges, struct emu_loop *loop);

/* Its sources must have been removed. Harmless for one that is not open. */
void emu_edges_close(struct emu_edges *edges);

/*
 * So many more threads wait for its edges, or fewer. While none does nobody
 * is interested in them before the next wait, so they need not end the loop's
 * sleep, and a busy program is not slowed down by a supervisor that wakes up
 * for each of its packets. Also for a part that is not open yet.
 */
void emu_edges_wait(struct emu_edges *edges, int change);

/*
 * Fetches and serves what it has, unless that was done in this turn: for a
 * call that is about to look at what the edges are about.
 */
void emu_edges_drain(struct emu_edges *edges);

/*
 * The turn now, and: has all that the part had at the end of an earlier turn
 * been served?
 */
uint64_t emu_edges_turn(const struct emu_edges *edges);
bool emu_edges_drained_since(const struct emu_edges *edges, uint64_t turn);

/*
 * Moves a source from its part to another; `fd` and `events` as it is there.
 * No edge is lost, and none comes twice, but perhaps one of this moment, or
 * when the host has no room for it in both. Errors: those of epoll_ctl(2); it
 * stays then.
 */
int emu_edges_move(struct emu_source *source, int fd, uint32_t events,
	struct emu_edges *to);

/*
 * Must more parts end the sleep than the loop can look at? It wakes up every
 * millisecond then, until they have been brought together.
 */
bool emu_edges_crowded(const struct emu_loop *loop);
void emu_edges_uncrowd(struct emu_loop *loop); /* that was done */

/* From now on the edges of all parts have to end the sleep, or no longer. */
void emu_edges_need_all(struct emu_loop *loop, bool need);

/* The same as emu_edges_drain() for all parts. */
void emu_edges_drain_all(struct emu_loop *loop);

#endif
