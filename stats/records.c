/* SPDX-License-Identifier: MIT */
/*
 * The records of objects.
 *
 * A record lives as long as its object. Afterwards the busiest are remembered
 * and the others are added up, so that a program that makes a million epolls
 * takes no more memory than it has epolls at a time.
 */
#include "stats/records.h"

#include <stdlib.h>

struct stats_epoll *stats_epoll_numbered(
	const struct stats_tally *tally, uint64_t number)
{
	struct stats_object *object =
		emu_table_get(&tally->epolls.living, number);

	return object ? emu_container_of(object, struct stats_epoll, object)
		      : NULL;
}

struct stats_eventfd *stats_eventfd_numbered(
	const struct stats_tally *tally, uint64_t number)
{
	struct stats_object *object =
		emu_table_get(&tally->eventfds.living, number);

	return object ? emu_container_of(object, struct stats_eventfd, object)
		      : NULL;
}

/* Takes up a record of a new object; frees it when there is no memory. */
static bool take_up(struct stats_objects *objects, struct stats_object *record,
	uint64_t number)
{
	record->number = number;
	emu_list_init(&record->gone_link);
	objects->made++;
	return emu_table_set(&objects->living, number, record) == 0;
}

static bool epoll_made(
	struct stats_tally *tally, const struct emu_object *object)
{
	struct stats_epoll *epoll = calloc(1, sizeof(*epoll));

	if (!epoll)
		return false;
	if (!take_up(&tally->epolls, &epoll->object, object->number)) {
		free(epoll);
		return false;
	}
	return emu_table_set(
		       &tally->by_engine, (uintptr_t)object->epoll, epoll) == 0;
}

static bool eventfd_made(
	struct stats_tally *tally, const struct emu_object *object)
{
	struct stats_eventfd *eventfd = calloc(1, sizeof(*eventfd));

	if (!eventfd)
		return false;
	if (take_up(&tally->eventfds, &eventfd->object, object->number))
		return true;
	free(eventfd);
	return false;
}

void stats_records_made(
	void *ctx, const struct emu_object *object, const struct emu_call *call)
{
	struct stats_tally *tally = ctx;

	(void)call;
	if (!(object->kind == EMU_KIND_EPOLL ? epoll_made(tally, object)
					     : eventfd_made(tally, object)))
		tally->incomplete = true;
}

void stats_epoll_merge(struct stats_epoll *sum, const struct stats_epoll *epoll)
{
	if (epoll->items_most > sum->items_most)
		sum->items_most = epoll->items_most;
	if (epoll->longest_ready > sum->longest_ready)
		sum->longest_ready = epoll->longest_ready;
	sum->added += epoll->added;
	sum->modified += epoll->modified;
	sum->deleted += epoll->deleted;
	sum->waits += epoll->waits;
	sum->slept += epoll->slept;
	sum->events += epoll->events;
	sum->delivering += epoll->delivering;
	sum->timeouts += epoll->timeouts;
	sum->empty += epoll->empty;
	sum->interrupted += epoll->interrupted;
	sum->wakes += epoll->wakes;
	sum->spurious += epoll->spurious;
	stats_histogram_merge(&sum->latency, &epoll->latency);
}

void stats_eventfd_merge(
	struct stats_eventfd *sum, const struct stats_eventfd *eventfd)
{
	sum->writes += eventfd->writes;
	sum->reads += eventfd->reads;
	sum->coalesced += eventfd->coalesced + eventfd->open;
}

/*
 * An object has gone: its record is remembered. Returns the one that is too
 * many, the least busy, or NULL.
 */
static struct stats_object *remember(
	struct stats_objects *objects, struct stats_object *record)
{
	struct stats_object *least = record;
	struct emu_list *pos;

	record->gone = true;
	emu_list_add_tail(&record->gone_link, &objects->gone);
	if (++objects->gone_count <= STATS_MOST_GONE)
		return NULL;
	emu_list_for_each (pos, &objects->gone) {
		struct stats_object *object =
			emu_container_of(pos, struct stats_object, gone_link);

		if (object->uses < least->uses)
			least = object;
	}
	emu_list_remove(&least->gone_link);
	objects->gone_count--;
	objects->merged++;
	return least;
}

static void epoll_gone(
	struct stats_tally *tally, const struct emu_object *object)
{
	struct stats_object *record =
		emu_table_take(&tally->epolls.living, object->number);
	struct stats_object *least;
	struct stats_epoll *epoll;

	if (!record)
		return;
	emu_table_take(&tally->by_engine, (uintptr_t)object->epoll);
	least = remember(&tally->epolls, record);
	if (!least)
		return;
	epoll = emu_container_of(least, struct stats_epoll, object);
	stats_epoll_merge(&tally->other_epolls, epoll);
	free(epoll);
}

static void eventfd_gone(
	struct stats_tally *tally, const struct emu_object *object)
{
	struct stats_object *record =
		emu_table_take(&tally->eventfds.living, object->number);
	struct stats_object *least;
	struct stats_eventfd *eventfd;

	if (!record)
		return;
	least = remember(&tally->eventfds, record);
	if (!least)
		return;
	eventfd = emu_container_of(least, struct stats_eventfd, object);
	stats_eventfd_merge(&tally->other_eventfds, eventfd);
	free(eventfd);
}

void stats_records_gone(void *ctx, const struct emu_object *object)
{
	if (object->kind == EMU_KIND_EPOLL)
		epoll_gone(ctx, object);
	else
		eventfd_gone(ctx, object);
}

static int by_number(const void *left, const void *right)
{
	uint64_t a = (*(struct stats_object *const *)left)->number;
	uint64_t b = (*(struct stats_object *const *)right)->number;

	return a < b ? -1 : a > b;
}

static int by_uses(const void *left, const void *right)
{
	uint64_t a = (*(struct stats_object *const *)left)->uses;
	uint64_t b = (*(struct stats_object *const *)right)->uses;

	return a > b ? -1 : a < b;
}

struct list {
	struct stats_object **all;
	size_t count;
};

static void add_to_list(void *ctx, void *record)
{
	struct list *list = ctx;

	list->all[list->count++] = record;
}

struct stats_object **stats_records_sorted(
	const struct stats_objects *objects, size_t *count, size_t *shown)
{
	size_t room = objects->living.count + objects->gone_count;
	struct stats_object **sorted =
		calloc(room ? room : 1, sizeof(struct stats_object *));
	struct list list = {.all = sorted};
	struct emu_list *pos;

	*count = 0;
	*shown = 0;
	if (!sorted)
		return NULL;
	emu_table_each(&objects->living, add_to_list, &list);
	*count = list.count;
	emu_list_for_each (pos, &objects->gone)
		sorted[(*count)++] =
			emu_container_of(pos, struct stats_object, gone_link);
	qsort(sorted, *count, sizeof(struct stats_object *), by_uses);
	*shown = *count < STATS_MOST_SHOWN ? *count : STATS_MOST_SHOWN;
	qsort(sorted, *shown, sizeof(struct stats_object *), by_number);
	return sorted;
}
