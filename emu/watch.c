/* SPDX-License-Identifier: MIT */
/*
 * A watch is the engine's window on one file of a target: a weak handle whose
 * tiny epoll instance is nested, edge-triggered, in the edges of its epoll
 * (edges.c). The kernel queues the handle there for each wake-up of the file
 * that concerns the mask, which is one edge for the engine; polling asks the
 * handle.
 *
 * Each item has a watch of its own, so that the kernel filters wake-ups by
 * the item's own mask, as it does natively. Only EPOLLEXCLUSIVE items of one
 * file share a watch, because they compete for each wake-up.
 *
 * Arming. A target that reads a busy socket without ever calling epoll_wait()
 * must not wake the supervisor for each packet. When wake-ups turn out to be
 * no news (the item is queued already) the handle is disarmed there. The
 * next poll, which always comes before the item can leave the ready
 * list, arms it again, drops the event that arming itself makes, and only
 * then looks: a wake-up before the look is seen by it, one after makes an
 * edge. A shared watch stays armed: it may have items that are not queued.
 *
 * Registering a file that is ready makes an event as well. The engine polls
 * at once when an item is added or modified, so that event would come twice:
 * the first poll of a `fresh` watch drops it.
 */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "poll_bits.h"
#include "taken.h"

/* Wake-ups without news before the watch is disarmed. */
#define PATIENCE 2

/* Such a wake-up reaches all exclusive items. */
#define FOR_ALL (EMU_EPOLLHUP | EMU_EPOLLERR)

/* Whether such an item is due only the engine knows. */
#define HIDDEN (EMU_EPOLLONESHOT | EMU_EPOLLEXCLUSIVE)

/* Has wake-ups reach the loop, and the alarm ring for them, or not. */
static void listen_to(struct emu_watch *watch, bool listen)
{
	uint32_t events = listen ? EPOLLIN | EPOLLET : 0;

	watch->armed = listen;
	emu_loop_modify(
		watch->set->loop, watch->weak.epfd, events, &watch->source);
	if (watch->hidden)
		emu_loop_modify(watch->set->loop, watch->weak.epfd, events,
			&watch->source.edges->alarm);
}

static void watch_rearm(struct emu_watch *watch)
{
	watch->redundant = 0;
	if (watch->armed)
		return;
	listen_to(watch, true);
	emu_loop_swallow(watch->set->loop, &watch->source);
}

/*
 * Has the look at the ready set, which this very call made, told what the
 * file is ready for? An item without edges that it did not tell of is not.
 */
static bool told(const struct emu_watch *watch, uint32_t *bits)
{
	const struct emu_watches *set = watch->set;

	if (set->look == 0 || watch->fresh)
		return false;
	*bits = watch->look == set->look ? watch->bits : 0;
	return watch->look == set->look ||
	       (set->complete && watch->shown == set->complete &&
		       !watch->edges && !watch->stirred);
}

static uint32_t watch_poll(struct emu_file *file, uint32_t mask)
{
	struct emu_watch *watch =
		emu_container_of(file, struct emu_watch, file);

	uint32_t bits;

	if (watch->signalfd)
		return watch->set->poll_signalfd(watch) & mask;
	if (watch->armed && told(watch, &bits)) {
		watch->redundant = 0;
	} else {
		watch_rearm(watch);
		bits = emu_weak_poll(&watch->weak);
	}
	if (watch->source.forgets)
		bits = emu_taken_report(watch, bits);
	bits &= mask;
	watch->stirred = false;
	if (watch->fresh) {
		watch->fresh = false;
		if (bits)
			emu_loop_swallow(watch->set->loop, &watch->source);
	}
	return bits;
}

static const struct emu_file_ops watch_ops = {
	.poll = watch_poll,
};

/*
 * Shared items have several masks: what the file is ready for tells them
 * apart. The end of a connection concerns everybody (sock_def_wakeup()).
 */
static int wake_shared(struct emu_watch *watch)
{
	uint32_t key = emu_taken_poll(watch);
	int news;

	if (key == 0)
		return 1;
	watch->set->waking = watch;
	news = emu_waitq_wake(&watch->file.waitq, key, key & FOR_ALL ? 0 : 1);
	watch->set->waking = NULL;
	return news;
}

void emu_watch_pass_on(struct emu_watch *watch, const struct emu_epoll *epoll)
{
	uint32_t key = emu_taken_poll(watch);

	if (key == 0 || key & FOR_ALL)
		return;
	watch->set->waking = watch;
	emu_file_wake_behind(&watch->file, epoll, key);
	watch->set->waking = NULL;
}

/* The kernel filtered by the item's mask: the wake is for it. */
static int wake(struct emu_watch *watch)
{
	return watch->shared ? wake_shared(watch)
			     : emu_file_wake(&watch->file, 0);
}

/* The file was polled for all its watches, and may be ready for none now. */
static void wake_alike(struct emu_watch *watch)
{
	struct emu_list *pos;

	emu_taken_by_loop(watch);
	wake(watch);
	emu_list_for_each (pos, &watch->alike)
		wake(emu_container_of(pos, struct emu_watch, alike));
}

static void watch_ready(struct emu_source *source, uint32_t events)
{
	struct emu_watch *watch =
		emu_container_of(source, struct emu_watch, source);
	int news;

	(void)events;
	if (watch->signalfd)
		return; /* the kernel means our own signals */
	watch->stirred = true;
	if (watch->set->stirred)
		watch->set->stirred(watch->set, watch);
	if (watch->source.forgets) { /* and stays armed */
		wake_alike(watch);
		return;
	}
	news = wake(watch);
	/* A shared one goes on: the next may concern an item not queued. */
	if (news > 0)
		watch->redundant = 0;
	else if (!watch->shared && ++watch->redundant >= PATIENCE)
		listen_to(watch, false);
}

/* The handle polls for the file's own bits; the rest steers the engine. */
static uint32_t host_mask(uint32_t events)
{
	return events & ~EMU_EPOLL_PRIVATE_BITS;
}

/*
 * Who polls the placeholder goes by what the engine knows: such a wake-up has
 * to be served also while no thread waits. The alarm rings for it then.
 */
static bool is_hidden(const struct emu_watch *watch, uint32_t events)
{
	/* What forgets ends the sleep anyway. */
	return !watch->source.forgets && events & HIDDEN;
}

/* Registers the handle in the loop. */
static int watch_attach(struct emu_watch *watch, bool hidden)
{
	struct emu_watches *set = watch->set;
	int epfd = watch->weak.epfd;
	int rc = 0;

	/* The kernel wakes the newest first: the alarm follows the edge. */
	if (hidden)
		rc = emu_loop_add(set->loop, epfd, EPOLLIN | EPOLLET,
			&watch->source.edges->alarm);
	if (rc == 0)
		rc = emu_loop_add(
			set->loop, epfd, EPOLLIN | EPOLLET, &watch->source);
	if (rc < 0) {
		emu_loop_forget(set->loop, epfd, &watch->source.edges->alarm);
		return rc;
	}
	watch->alarmed = hidden;
	watch->hidden = hidden;
	watch->armed = true;
	watch->fresh = true;
	return 0;
}

/* The item may have become one-shot, or ceased to be. */
static int watch_hide(struct emu_watch *watch, bool hidden)
{
	struct emu_watches *set = watch->set;
	uint32_t events = hidden ? EPOLLIN | EPOLLET : 0;
	int rc;

	if (hidden == watch->hidden)
		return 0;
	if (watch->alarmed) {
		rc = emu_loop_modify(set->loop, watch->weak.epfd, events,
			&watch->source.edges->alarm);
		watch->hidden = rc == 0 ? hidden : watch->hidden;
		return rc;
	}
	/* Anew, for the order; whoever modifies polls the file after that. */
	emu_loop_remove(set->loop, watch->weak.epfd, &watch->source);
	rc = watch_attach(watch, true);
	if (rc < 0) /* as it was */
		emu_loop_add(set->loop, watch->weak.epfd, EPOLLIN | EPOLLET,
			&watch->source);
	return rc;
}

static int enter(struct emu_watches *set, struct emu_watch *watch)
{
	static uint32_t serial;
	size_t at = (size_t)watch->weak.epfd;

	if (at >= set->room) {
		size_t room = 2 * at + 64;
		struct emu_watch **by_handle = realloc(
			set->by_handle, room * sizeof(struct emu_watch *));

		if (!by_handle)
			return -ENOMEM;
		memset(by_handle + set->room, 0,
			(room - set->room) * sizeof(struct emu_watch *));
		set->by_handle = by_handle;
		set->room = room;
	}
	set->by_handle[at] = watch;
	watch->serial = ++serial;
	return 0;
}

uint64_t emu_watch_tag(const struct emu_watch *watch)
{
	return (uint64_t)watch->serial << 32 | (uint32_t)watch->weak.epfd;
}

/* With a handle of its own, registered in the loop. */
static int watch_new(struct emu_watches *set, struct emu_edges *edges, int fd,
	uint32_t events, uint32_t forgets, struct emu_watch **watch)
{
	struct emu_watch *new = calloc(1, sizeof(*new));
	int rc;

	if (!new)
		return -ENOMEM;
	rc = emu_weak_init(&new->weak, fd, host_mask(events));
	if (rc < 0) {
		free(new);
		return rc;
	}
	new->set = set;
	new->source.ready = watch_ready;
	new->source.edges = edges;
	new->source.forgets = forgets;
	rc = emu_edges_open(edges, set->loop);
	if (rc == 0)
		rc = watch_attach(new, is_hidden(new, events));
	if (rc < 0) {
		emu_weak_finish(&new->weak);
		free(new);
		return rc;
	}
	*watch = new;
	return 0;
}

int emu_watch_create(struct emu_watches *set, struct emu_edges *edges, int fd,
	uint32_t events, bool shared, uint32_t forgets,
	struct emu_watch **watch)
{
	struct emu_watch *new = NULL;
	int rc;

	if (!forgets && !(events & HIDDEN))
		new = emu_spare_take(
			&set->spares, edges, fd, host_mask(events));
	if (new) {
		new->armed = true;
		new->fresh = true;
	} else {
		rc = watch_new(set, edges, fd, events, forgets, &new);
		if (rc < 0)
			return rc;
	}
	new->set = set;
	rc = enter(set, new);
	if (rc < 0) {
		emu_loop_remove(set->loop, -1, &new->source);
		emu_weak_finish(&new->weak);
		free(new);
		return rc;
	}
	new->edges = events &EMU_EPOLLET;
	new->shared = shared;
	emu_file_init(&new->file, &watch_ops);
	new->file.hidden = forgets != 0;
	emu_list_init(&new->alike);
	emu_list_add_tail(&new->link, shared ? &set->shared : &set->all);
	set->count++;
	if (forgets)
		emu_taken_join(set, new, fd);
	*watch = new;
	return 0;
}

void emu_watch_destroy(struct emu_watch *watch)
{
	struct emu_watches *set = watch->set;

	emu_loop_remove(set->loop, -1, &watch->source);
	set->by_handle[watch->weak.epfd] = NULL;
	emu_list_remove(&watch->link);
	emu_list_remove(&watch->alike);
	set->count--;
	set->pidfds -= watch->pidfd;
	if (watch->signalfd)
		set->free_signalfd(watch);
	else if (emu_spare_keep(&set->spares, watch))
		return;
	emu_weak_finish(&watch->weak);
	free(watch);
}

void emu_watch_put(struct emu_watch *watch)
{
	if (--watch->users == 0)
		emu_watch_destroy(watch);
}

void emu_watch_release(struct emu_watch *watch)
{
	emu_file_release(&watch->file);
	watch->weak.tfd = -1; /* the host took it out */
	emu_watch_destroy(watch);
}

int emu_watch_modify(struct emu_watch *watch, int fd, uint32_t events)
{
	uint32_t before = watch->weak.events;
	bool edges = watch->edges;
	int rc = emu_weak_modify(&watch->weak, fd, host_mask(events));

	if (rc < 0)
		return rc;
	watch->fresh = true;
	watch->edges = events & EMU_EPOLLET;
	rc = watch->shared ? 0 : watch_hide(watch, is_hidden(watch, events));
	if (rc < 0) {
		emu_weak_modify(&watch->weak, fd, before);
		watch->edges = edges;
	}
	return rc;
}

void emu_watch_is_pidfd(struct emu_watch *watch)
{
	watch->pidfd = true;
	watch->set->pidfds++;
}

bool emu_file_is_watch(const struct emu_file *file)
{
	return file->ops == &watch_ops;
}

struct emu_watch *emu_watch_of_file(struct emu_file *file)
{
	return emu_container_of(file, struct emu_watch, file);
}
