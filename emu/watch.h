/* SPDX-License-Identifier: MIT */
/*
 * Watches: a target's open file description as a file of the engine.
 */
#ifndef EMU_WATCH_H
#define EMU_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "edges.h"
#include "file.h"
#include "spare.h"
#include "weak.h"

struct emu_object;
struct emu_signalfd;

struct emu_watch {
	struct emu_file file; /* what the engine sees */
	struct emu_weak weak;
	struct emu_source source; /* in the loop, one event per wake-up */
	struct emu_list link; /* on the set's list, for the sweep */
	struct emu_watches *set;
	bool armed; /* wake-ups reach the loop */
	bool hidden; /* they also ring the alarm of its edges */
	bool alarmed; /* the handle is registered for that */
	bool fresh; /* (re)registered: that made an event of its own */
	/* What a poll took away from the file, until it is reported; taken.c */
	uint32_t remembered;
	struct emu_list alike; /* with the file's other watches, if so */
	/* A signalfd needs more than the handle; NULL for all else. */
	struct emu_signalfd *signalfd;
	/*
	 * The ready set of which object has the file itself, and what that
	 * told of it at the look numbered `look`; see placeholder.c.
	 */
	const struct emu_object *shown;
	bool edges; /* its item is edge-triggered */
	bool stirred; /* it had a wake-up, and was not polled since */
	uint64_t look;
	uint32_t bits;
	uint32_t serial; /* among all watches ever */
	uint64_t eventfd; /* which emulated one it is on, while observed */
	bool pidfd; /* on a child, as it seems */
	bool listed; /* the handle was put into a ready set */
	bool shared; /* serves all EPOLLEXCLUSIVE items of one file */
	unsigned int users; /* items that use it */
	struct emu_item *item; /* the one user, unless shared */
	unsigned int redundant; /* wake-ups since the last poll: no news */
};

/* All watches of a supervisor. */
struct emu_watches {
	struct emu_loop *loop;
	struct emu_edges edges; /* of epolls that share a watch */
	struct emu_list all; /* oldest look first: the sweep rotates it */
	struct emu_list shared; /* the shared ones are on this list instead */
	/* For watches with a `signalfd`; set by whoever makes those. */
	uint32_t (*poll_signalfd)(struct emu_watch *watch);
	void (*free_signalfd)(struct emu_watch *watch);
	/* For observers: a wake-up is about to be served. May be NULL. */
	void (*stirred)(struct emu_watches *set, const struct emu_watch *watch);
	size_t count;
	size_t pidfds; /* of these, watches on pidfds */
	struct emu_watch **by_handle; /* indexed by the handle's descriptor */
	size_t room;
	struct emu_spares spares;
	/*
	 * While events are taken from an object's ready list: the number of
	 * the look at its ready set, 0 at other times. `complete`: the object,
	 * if the look told of all that is level-triggered and ready.
	 */
	uint64_t look;
	uint64_t looks;
	const struct emu_object *complete;
	/* The shared watch whose items are being woken, or NULL. */
	const struct emu_watch *waking;
};

void emu_watches_init(struct emu_watches *set, struct emu_loop *loop);

/*
 * Watches the file in the slot, `fd`, for an epoll with these edges. `events`:
 * the item's mask; `shared`: it serves several; `forgets`: the bits that a poll
 * of the file takes away (taken.h). On success *watch has no user yet.
 * Errors: those of emu_weak_init(), -ENOMEM.
 */
int emu_watch_create(struct emu_watches *set, struct emu_edges *edges, int fd,
	uint32_t events, bool shared, uint32_t forgets,
	struct emu_watch **watch);

/* Closes the handle and frees a watch that has no item. */
void emu_watch_destroy(struct emu_watch *watch);

/* One of its items was removed; the last one takes the watch along. */
void emu_watch_put(struct emu_watch *watch);

/* Its file has gone: its items go, and the watch. */
void emu_watch_release(struct emu_watch *watch);

/*
 * From now on the watch is for `events`, if its file is the one in the slot,
 * `fd`: -ENOENT if not. The watch is as before on failure.
 */
int emu_watch_modify(struct emu_watch *watch, int fd, uint32_t events);

/*
 * The wake-ups of all watches in the one part come by the other from now on;
 * both are open. Errors: those of epoll_ctl(2); some have moved then.
 */
int emu_watches_move(
	struct emu_watches *set, struct emu_edges *from, struct emu_edges *to);

/*
 * For a file that the host will not watch once more: a watch of the file
 * behind our descriptor `fd`, with the mask `events`, that another item can
 * use as well. NULL if there is none.
 */
struct emu_watch *emu_watches_find_alike(
	struct emu_watches *set, int fd, uint32_t events);

/* The watch is on a pidfd; see exact.c. */
void emu_watch_is_pidfd(struct emu_watch *watch);

/* The shared watch of the file behind our descriptor `fd`, or NULL. */
struct emu_watch *emu_watches_find_shared(struct emu_watches *set, int fd);

/*
 * A waiter of the epoll had the wake of an exclusive item on the shared watch,
 * and left: the next item gets it, if the file is ready still.
 */
void emu_watch_pass_on(struct emu_watch *watch, const struct emu_epoll *epoll);

/* A name for the watch that means nothing once the watch is gone. */
uint64_t emu_watch_tag(const struct emu_watch *watch);

/* The watch of that name, or NULL. */
struct emu_watch *emu_watches_find(const struct emu_watches *set, uint64_t tag);

/* Frees what the set keeps when all its watches are gone. */
void emu_watches_finish(struct emu_watches *set);

/* The watch behind a file of the engine; the file must be one. */
struct emu_watch *emu_watch_of_file(struct emu_file *file);
bool emu_file_is_watch(const struct emu_file *file);

/*
 * Looks at up to `budget` watches, those that were not looked at for longest
 * first, and calls `gone` for each whose file has gone; that must destroy it.
 * Returns how many went.
 */
size_t emu_watches_sweep(struct emu_watches *set, size_t budget,
	void (*gone)(void *ctx, struct emu_watch *watch), void *ctx);

#endif
