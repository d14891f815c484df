/* SPDX-License-Identifier: MIT */
/*
 * What the engine's own files share about epoll instances. Nothing outside
 * the engine includes this.
 *
 * An item is on these lists from emu_epoll_add() to emu_epoll_del(), all
 * embedded, so that linking it cannot fail:
 *	epoll->items	by age
 *	epoll->tree	by (fd, file)
 *	file->items	the epolls that a file can wake
 *	file->waitq	to be told of wakes
 * and on epoll->ready whenever it is to be looked at by the next harvest.
 */
#ifndef EMU_EPOLL_INTERNAL_H
#define EMU_EPOLL_INTERNAL_H

#include "epoll_emul.h"
#include "list.h"
#include "poll_bits.h"

/* EP_MAX_NESTS: so many epoll-in-epoll links in a chain, no more. */
#define EMU_MAX_LINKS 4

struct emu_item {
	struct emu_wait wait; /* on file->waitq */
	struct emu_list ready; /* on epoll->ready, or unlinked */
	struct emu_list age; /* on epoll->items */
	struct emu_list file_link; /* on file->items */
	struct emu_item *left; /* in epoll->tree */
	struct emu_item *right;
	struct emu_epoll *epoll;
	struct emu_file *file;
	uint64_t data;
	int fd;
	int *counted; /* the counter of the epoll that it adds to, if queued */
	uint32_t events; /* ERR and HUP included; private bits when disabled */
	uint32_t priority; /* in epoll->tree */
};

/* Marks of the walks in epoll_nest.c; each is valid in one walk only. */
struct emu_nest_marks {
	uint64_t walk;
	int longest; /* chain of links from here on */
	uint64_t paths_walk;
	/* paths of n links that end at an epoll which nobody watches */
	uint32_t paths[EMU_MAX_LINKS + 1];
};

struct emu_epoll {
	struct emu_file file; /* as others watch it */
	struct emu_waitq waiters; /* threads in epoll_wait() */
	struct emu_list ready; /* first wake first */
	struct emu_list items; /* oldest first */
	struct emu_item *tree;
	uint32_t seed; /* of the tree's priorities */
	int edges_queued; /* on `ready`: edge-triggered ones */
	int hidden_queued; /* on `ready`: one-shot and exclusive ones */
	int queued; /* on `ready`, all of them */
	long item_count;
	void (*observer)(void *ctx, const struct emu_item *item);
	void *observer_ctx;
	int harvested; /* first so many of `ready` await a commit */
	const struct emu_alloc *alloc;
	struct emu_epoll_user *user;
	struct emu_nest_marks marks;
};

/* epoll_tree.c: items by (fd, file). */
void emu_tree_insert(struct emu_epoll *epoll, struct emu_item *item);
void emu_tree_remove(struct emu_epoll *epoll, struct emu_item *item);

/* epoll_ready.c */
extern const struct emu_file_ops emu_epoll_file_ops;

/* ep_item_poll(): the bits that the item would report now. */
uint32_t emu_item_poll(const struct emu_item *item);

/* Onto the ready list's tail, and off it; both harmless when done already. */
void emu_item_enqueue(struct emu_item *item);
void emu_item_dequeue(struct emu_item *item);

/* The mask of an item that may be queued has changed. */
void emu_item_recount(struct emu_item *item);

/*
 * Puts a ready item on the ready list and wakes a waiter and those who poll
 * the epoll, unless it is there already, as ep_insert() and ep_modify() do.
 */
void emu_item_queue_ready(struct emu_item *item);

/* ep_poll_callback(), for emu_item.wait */
int emu_item_woken(struct emu_wait *wait, uint32_t key);

/*
 * epoll_nest.c. The first is asked before the item exists (-ELOOP), the
 * second when it is on its file's list (-EINVAL).
 */
int emu_nest_check_chain(struct emu_epoll *epoll, struct emu_file *file);
int emu_nest_check_paths(struct emu_item *item);

#endif
