/* SPDX-License-Identifier: MIT */
/*
 * All watches of a supervisor: found by what they watch, moved together from
 * one part of the edges to another, and looked through for those whose file
 * has gone. A watch is on one of two lists, since the shared ones are searched
 * when an item is added.
 */
#include <stdlib.h>
#include <sys/epoll.h>

#include "poll_bits.h"
#include "watch.h"

void emu_watches_init(struct emu_watches *set, struct emu_loop *loop)
{
	set->loop = loop;
	set->count = 0;
	set->pidfds = 0;
	set->by_handle = NULL;
	set->room = 0;
	set->look = 0;
	set->looks = 0;
	set->complete = NULL;
	set->waking = NULL;
	set->spares.count = 0;
	set->edges = (struct emu_edges){0};
	emu_list_init(&set->all);
	emu_list_init(&set->shared);
}

struct emu_watch *emu_watches_find(const struct emu_watches *set, uint64_t tag)
{
	size_t at = (uint32_t)tag;
	struct emu_watch *watch = at < set->room ? set->by_handle[at] : NULL;

	return watch && watch->serial == tag >> 32 ? watch : NULL;
}

void emu_watches_finish(struct emu_watches *set)
{
	emu_spares_drop(&set->spares);
	emu_edges_close(&set->edges);
	free(set->by_handle);
	set->by_handle = NULL;
	set->room = 0;
}

static int move(struct emu_watch *watch, struct emu_edges *to)
{
	uint32_t events = watch->armed ? EPOLLIN | EPOLLET : 0;
	int rc = emu_edges_move(&watch->source, watch->weak.epfd, events, to);

	if (rc == 0 && watch->alarmed)
		emu_loop_modify(watch->set->loop, watch->weak.epfd,
			watch->hidden ? EPOLLIN | EPOLLET : 0, &to->alarm);
	return rc;
}

static int move_list(
	struct emu_list *list, struct emu_edges *from, struct emu_edges *to)
{
	struct emu_list *pos;
	int rc = 0;

	emu_list_for_each (pos, list) {
		struct emu_watch *watch =
			emu_container_of(pos, struct emu_watch, link);

		if (watch->source.edges == from)
			rc = move(watch, to);
		if (rc < 0)
			break;
	}
	return rc;
}

int emu_watches_move(
	struct emu_watches *set, struct emu_edges *from, struct emu_edges *to)
{
	int rc = move_list(&set->all, from, to);

	return rc < 0 ? rc : move_list(&set->shared, from, to);
}

struct emu_watch *emu_watches_find_alike(
	struct emu_watches *set, int fd, uint32_t events)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &set->all) {
		struct emu_watch *watch =
			emu_container_of(pos, struct emu_watch, link);

		if (watch->weak.events == (events & ~EMU_EPOLL_PRIVATE_BITS) &&
			emu_weak_is_own(&watch->weak, fd) == 1)
			return watch;
	}
	return NULL;
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
