/* SPDX-License-Identifier: MIT */
/*
 * A watch is the engine's window on one file of a target: a weak handle whose
 * tiny epoll instance is nested, edge-triggered, in the main loop. The kernel
 * queues the handle there for each wake-up of the file that concerns the
 * mask, which is one edge for the engine; polling asks the handle.
 *
 * Each item has a watch of its own, so that the kernel filters wake-ups by
 * the item's own mask, as it does natively. Only EPOLLEXCLUSIVE items of one
 * file share a watch, because they compete for each wake-up.
 *
 * Arming. A target that reads a busy socket without ever calling epoll_wait()
 * must not wake the supervisor for each packet. When wake-ups turn out to be
 * no news (the item is queued already) the handle is disarmed in the main
 * loop. The next poll, which always comes before the item can leave the ready
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
#include <sys/epoll.h>
#include <sys/stat.h>

#include "poll_bits.h"

/* Wake-ups without news before the watch is disarmed. */
#define PATIENCE 2

void emu_watches_init(struct emu_watches *set, struct emu_loop *loop)
{
	set->loop = loop;
	set->count = 0;
	emu_list_init(&set->all);
	emu_list_init(&set->shared);
	emu_list_init(&set->signalfds);
}

static void watch_rearm(struct emu_watch *watch)
{
	watch->redundant = 0;
	if (watch->armed)
		return;
	watch->armed = true;
	emu_loop_modify(watch->set->loop, watch->weak.epfd, EPOLLIN | EPOLLET,
		&watch->source);
	emu_loop_swallow(watch->set->loop, &watch->source);
}

static void watch_disarm(struct emu_watch *watch)
{
	watch->armed = false;
	emu_loop_modify(watch->set->loop, watch->weak.epfd, 0, &watch->source);
}

static uint32_t watch_poll(struct emu_file *file, uint32_t mask)
{
	struct emu_watch *watch =
		emu_container_of(file, struct emu_watch, file);

	uint32_t bits;

	if (watch->signalfd >= 0)
		return watch->set->poll_signalfd(watch) & mask;
	watch_rearm(watch);
	bits = (emu_weak_poll(&watch->weak) | watch->remembered) & mask;
	watch->remembered = 0;
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
	uint32_t key = emu_weak_poll(&watch->weak);

	if (key == 0)
		return 1;
	return emu_waitq_wake(&watch->file.waitq, key,
		key & (EMU_EPOLLHUP | EMU_EPOLLERR) ? 0 : 1);
}

static void watch_ready(struct emu_source *source, uint32_t events)
{
	struct emu_watch *watch =
		emu_container_of(source, struct emu_watch, source);
	int news;

	(void)events;
	if (watch->signalfd >= 0)
		return; /* the kernel means our own signals */
	if (watch->set->stirred)
		watch->set->stirred(watch->set, watch);
	/* Such a file reports its change to the first who polls, and that was
	 * the main loop just now. */
	if (watch->forgets)
		watch->remembered = EMU_EPOLLPRI | EMU_EPOLLERR;
	/* The kernel filtered by the item's mask: the wake is for it. */
	news = watch->shared ? wake_shared(watch)
			     : emu_file_wake(&watch->file, 0);
	/* A shared one goes on: the next may concern an item not queued. */
	if (news > 0)
		watch->redundant = 0;
	else if (!watch->shared && ++watch->redundant >= PATIENCE)
		watch_disarm(watch);
}

/* The handle polls for the file's own bits; the rest steers the engine. */
static uint32_t host_mask(uint32_t events)
{
	return events & ~EMU_EPOLL_PRIVATE_BITS;
}

int emu_watch_create(struct emu_watches *set, int fd, uint32_t events,
	bool shared, struct emu_watch **watch)
{
	struct emu_watch *new = calloc(1, sizeof(*new));
	struct stat st;
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
	new->armed = true;
	new->fresh = true;
	new->shared = shared;
	new->signalfd = -1;
	new->forgets = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	emu_list_init(&new->signalfds);
	emu_file_init(&new->file, &watch_ops);
	rc = emu_loop_add(
		set->loop, new->weak.epfd, EPOLLIN | EPOLLET, &new->source);
	if (rc < 0) {
		emu_weak_finish(&new->weak);
		free(new);
		return rc;
	}
	emu_list_add_tail(&new->link, shared ? &set->shared : &set->all);
	set->count++;
	*watch = new;
	return 0;
}

void emu_watch_destroy(struct emu_watch *watch)
{
	emu_loop_remove(watch->set->loop, -1, &watch->source);
	emu_weak_finish(&watch->weak);
	emu_list_remove(&watch->link);
	emu_list_remove(&watch->signalfds);
	watch->set->count--;
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
	emu_watch_destroy(watch);
}

/* A new handle takes the old one's place: for a file at another number. */
static int watch_replace(struct emu_watch *watch, int fd, uint32_t events)
{
	struct emu_weak weak;
	int rc = emu_weak_init(&weak, fd, events);

	if (rc < 0)
		return rc;
	rc = emu_loop_add(
		watch->set->loop, weak.epfd, EPOLLIN | EPOLLET, &watch->source);
	if (rc < 0) {
		emu_weak_finish(&weak);
		return rc;
	}
	emu_weak_finish(&watch->weak);
	watch->weak = weak;
	watch->armed = true;
	watch->fresh = true;
	watch->redundant = 0;
	return 0;
}

int emu_watch_modify(struct emu_watch *watch, int fd, uint32_t events)
{
	int rc = emu_weak_modify(&watch->weak, fd, host_mask(events));

	if (rc == -ENOENT)
		return watch_replace(watch, fd, host_mask(events));
	if (rc == 0)
		watch->fresh = true;
	return rc;
}

struct emu_watch *emu_watches_find_alike(
	struct emu_watches *set, int fd, uint32_t events)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &set->all) {
		struct emu_watch *watch =
			emu_container_of(pos, struct emu_watch, link);

		if (watch->weak.events == host_mask(events) &&
			emu_weak_is_own(&watch->weak, fd) == 1)
			return watch;
	}
	return NULL;
}

void emu_watch_is_signalfd(struct emu_watch *watch, int fd)
{
	watch->signalfd = fd;
	emu_list_add_tail(&watch->signalfds, &watch->set->signalfds);
}

struct emu_watch *emu_watches_find_shared(struct emu_watches *set, int fd)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &set->shared) {
		struct emu_watch *watch =
			emu_container_of(pos, struct emu_watch, link);

		if (emu_weak_is_own(&watch->weak, fd) == 1)
			return watch;
	}
	return NULL;
}

bool emu_file_is_watch(const struct emu_file *file)
{
	return file->ops == &watch_ops;
}

struct emu_watch *emu_watch_of_file(struct emu_file *file)
{
	return emu_container_of(file, struct emu_watch, file);
}

static size_t sweep_list(struct emu_list *list, size_t budget,
	void (*gone)(void *ctx, struct emu_watch *watch), void *ctx)
{
	size_t found = 0;

	while (budget-- > 0 && !emu_list_empty(list)) {
		struct emu_watch *watch =
			emu_container_of(list->next, struct emu_watch, link);

		emu_list_remove(&watch->link);
		emu_list_add_tail(&watch->link, list);
		if (emu_weak_gone(&watch->weak)) {
			gone(ctx, watch);
			found++;
		}
	}
	return found;
}

size_t emu_watches_sweep(struct emu_watches *set, size_t budget,
	void (*gone)(void *ctx, struct emu_watch *watch), void *ctx)
{
	return sweep_list(&set->all, budget, gone, ctx) +
	       sweep_list(&set->shared, budget / 8 + 1, gone, ctx);
}
