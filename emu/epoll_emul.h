/* SPDX-License-Identifier: MIT */
/*
 * epoll instances: the interest list, the ready list, the waiters. The rules
 * are those of fs/eventpoll.c (read in Linux 6.18) and epoll(7).
 *
 * The engine never blocks, knows no clock and no process. A caller that wants
 * to sleep adds a waiter and is called back; a deadline is the caller's own.
 * Results are 0 or more for success, a negative errno for failure; output is
 * untouched on failure.
 */
#ifndef EMU_EPOLL_EMUL_H
#define EMU_EPOLL_EMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "file.h"
#include "waitq.h"

/* struct epoll_event, in the host's own layout; see arch.h for the target's */
struct emu_event {
	uint32_t events;
	uint64_t data;
};

/* What one user's epolls share: the fs.epoll.max_user_watches accounting. */
struct emu_epoll_user {
	long watches; /* items in all epolls of this user */
	long max_watches; /* no more than these; ADD fails with ENOSPC */
};

struct emu_epoll;
struct emu_item;

/* What an item is, for those who print or check it. */
struct emu_item_info {
	struct emu_file *file;
	int fd;
	uint32_t events; /* the stored mask, ERR and HUP included */
	uint64_t data;
	bool queued; /* on the ready list */
};

/*
 * A thread in epoll_wait(). `woken` is called when a wake chose this waiter;
 * it has left the queue by then (so that the next wake goes to another), and
 * must not call back into the engine: note it, and harvest afterwards. One
 * that finds nothing to harvest waits again with emu_epoll_wait_begin().
 */
struct emu_waiter {
	struct emu_wait wait; /* on the instance's queue of waiters */
	struct emu_epoll *epoll;
	void (*woken)(struct emu_waiter *waiter);
};

/*
 * A new, empty instance (do_epoll_create()). `user` and `alloc` must outlive
 * it. Returns NULL when there is no memory.
 */
struct emu_epoll *emu_epoll_create(
	const struct emu_alloc *alloc, struct emu_epoll_user *user);

/*
 * The last reference is gone (ep_eventpoll_release()): removes its items and
 * itself from every epoll that watches it, and frees it. No waiter may be
 * left. NULL is ignored.
 */
void emu_epoll_destroy(struct emu_epoll *epoll);

/*
 * The instance as a file that another epoll may watch. Its poll answers
 * IN|RDNORM while an item on its ready list is ready still.
 */
struct emu_file *emu_epoll_file(struct emu_epoll *epoll);

/* The instance behind a file, or NULL when the file is not an epoll. */
struct emu_epoll *emu_epoll_of_file(struct emu_file *file);

/*
 * The checks of do_epoll_ctl() that come before the item is looked up:
 * adding an epoll to itself, and the rules of EPOLLEXCLUSIVE; also an unknown
 * `op`, which could only fail the same way later. `file` may be NULL for a
 * file that is no epoll. `events` is ignored for DEL.
 * Errors: -EINVAL.
 */
int emu_epoll_check(struct emu_epoll *epoll, int op, struct emu_file *file,
	uint32_t events);

/*
 * ep_find(): the item with this key, (open file description, descriptor
 * number), or NULL.
 */
struct emu_item *emu_epoll_find(
	struct emu_epoll *epoll, struct emu_file *file, int fd);

/*
 * Walks the items registered under one descriptor number, in no particular
 * order: pass NULL first, then what was returned, until NULL. There is more
 * than one when a number was reused while the old file lives on through a
 * duplicate.
 */
struct emu_item *emu_epoll_next_fd(
	struct emu_epoll *epoll, int fd, struct emu_item *previous);

/* Walks all items, oldest first, in the same way. */
struct emu_item *emu_epoll_next(
	struct emu_epoll *epoll, struct emu_item *previous);

/*
 * EPOLL_CTL_ADD (ep_insert()): polls the file at once and queues the item
 * when it is ready. `file` must not go before emu_file_release() is called.
 * Errors, in this order: -ELOOP (a cycle, or a chain of more than 5 epolls),
 * -EEXIST, -ENOSPC (max_user_watches), -ENOMEM, -EINVAL (too many wake-up
 * paths from one file).
 */
int emu_epoll_add(struct emu_epoll *epoll, struct emu_file *file, int fd,
	const struct emu_event *event, struct emu_item **item);

/*
 * EPOLL_CTL_MOD (ep_modify()): replaces mask and data, then polls; a ready
 * item is queued again, also an edge-triggered one.
 * Errors: -EINVAL for an item added with EPOLLEXCLUSIVE.
 */
int emu_epoll_mod(struct emu_item *item, const struct emu_event *event);

/* EPOLL_CTL_DEL (ep_remove()): unlinks the item at once and frees it. */
void emu_epoll_del(struct emu_item *item);

/* How many items it has. */
long emu_epoll_items(const struct emu_epoll *epoll);

/* Walks the ready list in its order, in the same way. */
struct emu_item *emu_epoll_next_ready(
	struct emu_epoll *epoll, struct emu_item *previous);

/* The instance that an item belongs to. */
struct emu_epoll *emu_item_epoll(const struct emu_item *item);

void emu_item_info(const struct emu_item *item, struct emu_item_info *info);

/*
 * Is the ready list not empty? Its items may turn out stale when they are
 * harvested (ep_events_available()).
 */
bool emu_epoll_available(const struct emu_epoll *epoll);

/* How many items are on it. */
int emu_epoll_queued(const struct emu_epoll *epoll);

/*
 * For an observer: has `queued` called for each item that comes onto the
 * ready list and was not there. It must not call back into the engine.
 */
void emu_epoll_observe(struct emu_epoll *epoll,
	void (*queued)(void *ctx, const struct emu_item *item), void *ctx);

/*
 * The items of the harvested events, one after the other, between a harvest
 * and its commit: the one behind `before`, or the first with NULL. The caller
 * knows how many they are; NULL when nothing is on the list any more.
 */
const struct emu_item *emu_epoll_harvested(
	const struct emu_epoll *epoll, const struct emu_item *before);

/* Is an edge-triggered item on it that is none of the next kind? */
bool emu_epoll_edge_available(const struct emu_epoll *epoll);

/* Is a one-shot or exclusive item on it, or one on a `hidden` file? */
bool emu_epoll_hidden_available(const struct emu_epoll *epoll);

/*
 * First half of ep_send_events(): re-polls items from the head of the ready
 * list, drops the stale ones, and stores up to `max` events. Nothing else
 * changes: the caller hands the events over and then calls
 * emu_epoll_commit(), with no other call on any instance between. Returns
 * how many events were stored, 0 if none.
 */
int emu_epoll_harvest(
	struct emu_epoll *epoll, struct emu_event *events, int max);

/*
 * Second half of ep_send_events(): the first `delivered` of the harvested
 * events reached the program. Level-triggered items go to the tail of the
 * ready list, edge-triggered ones leave it, one-shot ones leave it and are
 * disabled; the rest keep their places, so nothing is lost when fewer (or 0)
 * were delivered. Then, while items are left, the next waiter is woken.
 */
void emu_epoll_commit(struct emu_epoll *epoll, int delivered);

/*
 * Instead of emu_epoll_commit(), where the harvest was only a look for who gets
 * the events later: all items keep their places, and nobody is woken for them.
 */
void emu_epoll_put_back(struct emu_epoll *epoll);

/* Joins the waiters; the newest is woken first. */
void emu_epoll_wait_begin(struct emu_epoll *epoll, struct emu_waiter *waiter,
	void (*woken)(struct emu_waiter *waiter));

/*
 * Leaves the waiters, without or after a wake (a timeout, a signal, a dead
 * thread). With `pass_on`, a waiter that was woken but will not harvest
 * hands the wake to the next one. Returns whether there was one.
 */
bool emu_epoll_wait_end(struct emu_waiter *waiter, bool pass_on);

/* How many waiters sleep on the instance. */
bool emu_epoll_has_waiters(const struct emu_epoll *epoll);

#endif
